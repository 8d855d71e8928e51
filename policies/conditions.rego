# What a condition written in the table is worth: 2 (true), 1 (unknown), 0 (false).
package homeward.sharing

# METADATA
# title: A condition of a path
# description: A name, `not`, or `any` of several; whatever cannot be read is unknown.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Three values
value(condition) := known if {
	known := named(condition)
} else := max([alternative(one, condition.any) | some one in condition.any]) if {
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
	some other in all
	other in gate_names
} else := signed(one)

# METADATA
# title: A condition or its contrary
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Three values
signed(condition) := known if {
	known := positive(condition)
} else := 2 - contrary if {
	contrary := positive(condition["not"])
} else := 1

# METADATA
# title: A name, a fact, a code or a number
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
positive(condition) := known if {
	known := named(condition)
} else := known if {
	known := fact(data.facts[condition], input.item.facts[condition])
} else := known if {
	known := coded(condition)
} else := known if {
	known := measured(condition)
}

# METADATA
# title: What is true, false or unknown of this child, item and recipient
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
named("always") := 0 if {
	provisional
} else := 2

named("a_person_decides") := 1

named("agreed") := agreed

named("objects") := objects

named("competent") := competent

named("counts") := counts

named("la_has_decided") := la_has_decided

named("G1") := g1

named("G2") := g2

named("G3") := g3

named("G4") := g4

named("G5") := read_in_rows("G5")

named("G7") := read_in_rows("G7")

named("G8") := read_in_rows("G8")

named("pr") := truth(input.recipient.pr)

named("professional_carer") := 2 if {
	recipient_type == "carer_professional"
} else := 0

named("purpose_locate_child") := 2 if {
	input.purpose == "locate_child"
} else := 0

named("instrument") := 2 if {
	is_string(input.request.instrument)
	input.request.instrument != ""
} else := 0

named("place_in_host_area") := 2 if {
	is_string(input.item.facts.place_la)
	input.item.facts.place_la == input.child.host_la
} else := 0 if {
	is_string(input.item.facts.place_la)
}

named("approved") := 2 if {
	known_approvals
	"dpo" in input.item.facts.approvals
	"dsl" in input.item.facts.approvals
} else := 0 if {
	known_approvals
}

named("vir.line_of_enquiry") := fact("text", input.item.facts.vir.line_of_enquiry)

named("vir.necessity") := fact("text", input.item.facts.vir.necessity)

named("vir.notice") := fact("text", input.item.facts.vir.notice)

named("vir.counselling_test") := fact("truth", input.item.facts.vir.counselling_test)

named("vir.senior_approval") := fact("truth", input.item.facts.vir.senior_approval)

# METADATA
# title: A fact that has one of these codes
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names and Closed lists
coded(condition) := 2 if {
	some name, wanted in condition
	known_code(name)
	input.item.facts[name] in wanted
} else := 0 if {
	some name, _ in condition
	known_code(name)
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
# title: The code is of its closed list
# custom:
#   source: sharing-rules.md 3.4, Closed lists
known_code(name) if input.item.facts[name] in data.codes[name]

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
