# The gates: judgements that people recorded, as 2 (true), 1 (unknown) and 0 (false), so that
# Kleene's "and" is min, "or" is max and "not x" is 2 - x. A gate that is not in these is unknown.
package homeward.sharing

# METADATA
# title: The gates as they were recorded
# description: Only those of which somebody can say who judged, as what, when and why.
# custom:
#   source: sharing-rules.md 3.4, Three values
recorded := {name: worth_of |
	some name, gate in input.gates
	worth_of := {true: 2, false: 0}[gate.value]
	signature := [gate.by, gate.role, gate.at, gate.reason]

	# Rego orders null, booleans, numbers, strings, arrays: between "" and [] are words, not empty
	min(signature) > ""
	max(signature) < []
}

# METADATA
# title: The child is 18 or over
# custom:
#   source: sharing-rules.md 3.4, Names
adult := input.child.age >= 18

# METADATA
# title: The item is about somebody who is no longer a child
# custom:
#   source: sharing-rules.md 3.4, Names
about_an_adult := [adult, input.item.subject] == [true, "child"]

# METADATA
# title: Significant harm, met by sexual abuse too
# description: Where the item is about an adult, 0; theirs were judgements about a child.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
g3 := 0 if {
	about_an_adult
} else := max([object.get(judged_by, "G3", 1), object.get(judged_by, "G6", 1)]) if {
	judged_by := recorded
}

# METADATA
# title: Immediate danger
# custom:
#   source: sharing-rules.md 3.4, Names
g4 := object.get(recorded, "G4", 1)

# METADATA
# title: Risk of harm, met by all that is worse
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
g2 := g4 if {
	about_an_adult
} else := max([in_rows("G2"), g3, g4])

# METADATA
# title: The duty of section 16LA, between bodies that it names and about children
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
g1 := in_rows("G1") if {
	input.recipient.is_16la_body
	data.recipients[recipient_type].g1_counts
	not adult
} else := 0

# METADATA
# title: Prevention of crime and protection of others
# custom:
#   source: sharing-rules.md 3.4, Names
g5 := in_rows("G5")

# METADATA
# title: Court order or statutory power
# custom:
#   source: sharing-rules.md 3.4, Names
g7 := in_rows("G7")

# METADATA
# title: Valid victim information request
# custom:
#   source: sharing-rules.md 3.4, Names
g8 := in_rows("G8")

# METADATA
# title: It is not certain who the child is, but somebody may be badly harmed or is in danger
# custom:
#   source: sharing-rules.md 3.4, HD10
default provisional := false

provisional if {
	input.child.identity_status == "unverified"
	input.item.category != "aggregates"
	2 in {g3, g4}
}

# METADATA
# title: G1, G2, G5, G7 and G8 as rows and the sweep read them
# description: While it is not certain who the child is, only harm and danger count.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, HD10
in_rows(name) := 0 if {
	provisional
} else := object.get(recorded, name, 1)

# METADATA
# title: Two values as three
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Three values
truth(value) := 2 * to_number(value) if is_boolean(value)
