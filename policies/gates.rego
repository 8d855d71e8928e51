# The gates: judgements that people recorded, as 2 (true), 1 (unknown) and 0 (false), so that
# Kleene's "and" is min, "or" is max and "not x" is 2 - x.
package homeward.sharing

# METADATA
# title: A gate as it was recorded
# description: Unknown when absent, null, or when nobody can say who judged it, as what, when and why.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Three values
default recorded(_) := 1

recorded(name) := truth(gate.value) if {
	gate := input.gates[name]
	is_string(gate.by)
	gate.by != ""
	is_string(gate.role)
	gate.role != ""
	is_string(gate.at)
	gate.at != ""
	is_string(gate.reason)
	gate.reason != ""
}

# METADATA
# title: Two values as three
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Three values
truth(true) := 2

truth(false) := 0

# METADATA
# title: The child is 18 or over
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
default adult := false

adult if input.child.age >= 18

# METADATA
# title: The item is about somebody who is no longer a child
# description: Their own G2, G3 and G6 are judgements about a child and do not count.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
default about_an_adult := false

about_an_adult if {
	adult
	input.item.subject == "child"
}

# METADATA
# title: Significant harm, met by sexual abuse too
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
g3 := 0 if {
	about_an_adult
} else := max([recorded("G3"), recorded("G6")])

# METADATA
# title: Immediate danger
# custom:
#   source: sharing-rules.md 3.4, Names
g4 := recorded("G4")

# METADATA
# title: Risk of harm, met by all that is worse
# custom:
#   source: sharing-rules.md 3.4, Names
g2 := max([own_g2, g3, g4])

# METADATA
# title: Risk of harm as it was judged for this item and recipient
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names and HD10
own_g2 := 0 if {
	about_an_adult
} else := read_in_rows("G2")

# METADATA
# title: The duty of section 16LA, between bodies that it names and about children
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
g1 := read_in_rows("G1") if {
	data.recipients[recipient_type].g1_counts == true
	input.recipient.is_16la_body == true
	input.child.age < 18
} else := 0

# METADATA
# title: A recorded gate as rows and the sweep read it
# description: While it is not certain who the child is, only harm and danger count.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, HD10
read_in_rows(name) := 0 if {
	provisional
	is_string(name)
} else := recorded(name)

# METADATA
# title: Who the child is is not certain, but somebody may be badly harmed or is in danger
# scope: document
# custom:
#   source: sharing-rules.md 3.4, HD10
default provisional := false

provisional if {
	input.child.identity_status == "unverified"
	input.item.category != "aggregates"
	max([g3, g4]) == 2
}
