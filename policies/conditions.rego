# What a condition written in the table is worth: 2 (true), 1 (unknown), 0 (false).
package homeward.sharing

# METADATA
# title: What most paths ask, worked out once for a document
# custom:
#   source: sharing-rules.md 3.4, Names
known := {
	"agreed": agreed,
	"always": 2 * unread,
	"G1": g1,
	"G2": g2,
	"G3": g3,
	"G4": g4,
	"G5": object.get(in_rows, "G5", unread),
	"G7": object.get(in_rows, "G7", unread),
	"G8": object.get(in_rows, "G8", unread),
	"instrument": instrument,
}

# METADATA
# title: What few paths ask
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
seldom("counts") := counts

seldom("objects") := objects

seldom("competent") := competent

seldom("la_has_decided") := la_has_decided

seldom("purpose_locate_child") := truth(input.purpose == "locate_child")

seldom("pr") := truth(input.recipient.pr)

seldom("professional_carer") := truth(recipient_type == "carer_professional")

seldom("a_person_decides") := 1

seldom("approved") := approved

seldom("place_in_host_area") := place_in_host_area

seldom("vir.line_of_enquiry") := vir("text", "line_of_enquiry")

seldom("vir.necessity") := vir("text", "necessity")

seldom("vir.notice") := vir("text", "notice")

seldom("vir.counselling_test") := vir("truth", "counselling_test")

seldom("vir.senior_approval") := vir("truth", "senior_approval")

# METADATA
# title: Conditions joined by "and"
# description: Worth what the weakest is; where not all can be read, or there are none, unknown.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Three values
weakest(conditions) := min(values) if {
	at_hand := known
	values := array.concat(
		[at_hand[condition] | some condition in conditions],
		[other(condition) | some condition in conditions; not at_hand[condition]],
	)
	count(values) == count(conditions)
} else := 1

# METADATA
# title: A condition that is not worked out beforehand
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Three values
other(condition) := max([alternative(one, condition.any) | some one in condition.any]) if {
	condition.any
	provisional
} else := max([signed(one) | some one in condition.any]) if {
	condition.any
} else := signed(condition)

# METADATA
# title: One of several, while it is not certain who the child is
# description: A fact that stands beside a gate would open without one, so it does not count.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, HD10
alternative(one, all) := 0 if {
	data.facts[one]
	some beside in all
	beside in gate_names
} else := signed(one)

# METADATA
# title: A condition or its contrary
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Three values
signed(condition) := read if {
	read := positive(condition)
} else := 2 - contrary if {
	contrary := positive(condition["not"])
} else := 1

# METADATA
# title: A name, a fact, a code or a number
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
positive(condition) := known[condition] if {
	known[condition]
} else := fact(data.facts[condition], input.item.facts[condition]) if {
	data.facts[condition]
} else := coded(condition) if {
	is_object(condition)
} else := measured(condition) if {
	is_object(condition)
} else := seldom(condition)

# METADATA
# title: An order or a statute is named
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Everywhere
instrument := 2 if {
	is_string(input.request.instrument)
	input.request.instrument != ""
} else := 0

# METADATA
# title: The place is in the area of the child's host authority
# scope: document
# custom:
#   source: sharing-rules.md 3.4, CSC-04
place_in_host_area := 2 if {
	is_string(input.item.facts.place_la)
	input.item.facts.place_la == input.child.host_la
} else := 0 if {
	is_string(input.item.facts.place_la)
} else := 1

# METADATA
# title: Both the DPO and the DSL approved
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Everywhere
approved := 2 if {
	known_approvals
	"dpo" in input.item.facts.approvals
	"dsl" in input.item.facts.approvals
} else := 0 if {
	known_approvals
} else := 1

# METADATA
# title: What a victim information request says
# scope: document
# custom:
#   source: sharing-rules.md L07 and 3.4, Requests
vir(kind, name) := fact(kind, object.get(input.item.facts, ["vir", name], null))

# METADATA
# title: A fact that has one of these codes
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names and Closed lists
coded(condition) := 2 * to_number(given in wanted) if {
	some name, wanted in condition
	given := input.item.facts[name]
	given in data.codes[name]
}

# METADATA
# title: A number up to, or from, a limit
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
measured(condition) := within(input.item.facts[name], limit) if {
	some name, limit in condition
	data.facts[name] == "number"
}

# METADATA
# title: A fact as its kind says, true or false, filled or empty
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
fact("truth", given) := truth(given)

fact("text", given) := 0 if {
	given == ""
} else := 2 if {
	is_string(given)
}

fact("list", given) := 0 if {
	given == []
} else := 2 if {
	is_array(given)
}

# METADATA
# title: The approvals are a list of known roles
# custom:
#   source: sharing-rules.md 3.4, Closed lists
known_approvals if {
	given := input.item.facts.approvals
	is_array(given)
	count([one | some one in given; one in data.codes.approvals]) == count(given)
}

# METADATA
# title: A number within its limit
# description: Numbers are 0 and more; anything else is unknown.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
within(given, limit) := 2 if {
	is_number(given)
	given >= 0
	given <= limit.at_most
} else := 2 if {
	is_number(given)
	given >= limit.at_least
} else := 0 if {
	is_number(given)
	given >= 0
}
