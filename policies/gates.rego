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
	is_boolean(gate.value)
	signature := [gate.by, gate.role, gate.at, gate.reason]

	# Rego orders null, booleans, numbers, strings, arrays: between "" and [] are words, not empty
	min(signature) > ""
	max(signature) < []
	worth_of := 2 * to_number(gate.value)
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
# title: Harm to a child, 0 where the item is about an adult
# description: Their own G2, G3 and G6 are judgements about a child and do not count.
# custom:
#   source: sharing-rules.md 3.4, Names
of_a_child := 2 - (2 * to_number(about_an_adult))

# METADATA
# title: Significant harm, met by sexual abuse too
# custom:
#   source: sharing-rules.md 3.4, Names
g3 := min([of_a_child, max([object.get(recorded, "G3", 1), object.get(recorded, "G6", 1)])])

# METADATA
# title: Immediate danger
# custom:
#   source: sharing-rules.md 3.4, Names
g4 := object.get(recorded, "G4", 1)

# METADATA
# title: Risk of harm, met by all that is worse
# custom:
#   source: sharing-rules.md 3.4, Names
g2 := max([min([of_a_child, object.get(in_rows, "G2", unread)]), g3, g4])

# METADATA
# title: The duty of section 16LA, between bodies that it names and about children
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
g1 := object.get(in_rows, "G1", unread) if {
	input.recipient.is_16la_body
	data.recipients[recipient_type].g1_counts
	not adult
} else := 0

# METADATA
# title: It is not certain who the child is, but somebody may be badly harmed or is in danger
# custom:
#   source: sharing-rules.md 3.4, HD10
provisional := [input.child.identity_status, input.item.category == "aggregates", max([g3, g4])] == ["unverified", false, 2]

# METADATA
# title: G1, G2, G5, G7 and G8 as rows and the sweep read them
# description: While it is not certain who the child is, only harm and danger count.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, HD10
in_rows := {} if {
	provisional
} else := recorded

# METADATA
# title: What a gate is worth in rows that nobody recorded
# scope: document
# custom:
#   source: sharing-rules.md 3.4, HD10
unread := 0 if {
	provisional
} else := 1

# METADATA
# title: Two values as three
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Three values
truth(value) := 2 * to_number(value) if is_boolean(value)
