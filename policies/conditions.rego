# What a condition written in the table is worth: 2 (true), 1 (unknown), 0 (false). The rules of the
# rows (homeward/engine/rows.py) call these by name, so each must always have a value.
package homeward.sharing

# METADATA
# title: No gate is needed
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
always := 0 if {
	provisional
} else := 2

# METADATA
# title: The purpose is to find the child
# custom:
#   source: sharing-rules.md 3.4, Names
purpose_locate_child := 2 * to_number(input.purpose == "locate_child")

# METADATA
# title: The recipient has parental responsibility
# custom:
#   source: sharing-rules.md 3.4, Names
pr := 2 * to_number(input.recipient.pr)

# METADATA
# title: The recipient cares for the child by profession
# custom:
#   source: sharing-rules.md 3.4, Names
professional_carer := 2 * to_number(recipient_type == "carer_professional")

# METADATA
# title: Nobody but a person can say
# custom:
#   source: sharing-rules.md 3.4, COM-02
a_person_decides := 1

# METADATA
# title: A fact beside a gate, which opens nothing while it is not certain who the child is
# scope: document
# custom:
#   source: sharing-rules.md 3.4, HD10
if_identity_is_sure(value) := 0 if {
	provisional
} else := value

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
# title: A victim information request says in which line of enquiry
# custom:
#   source: sharing-rules.md L07 and 3.4, Requests
vir_line_of_enquiry := filled_text(object.get(input.item.facts, ["vir", "line_of_enquiry"], null))

# METADATA
# title: A victim information request says why it is necessary
# custom:
#   source: sharing-rules.md L07 and 3.4, Requests
vir_necessity := filled_text(object.get(input.item.facts, ["vir", "necessity"], null))

# METADATA
# title: A victim information request says what the victim is told
# custom:
#   source: sharing-rules.md L07 and 3.4, Requests
vir_notice := filled_text(object.get(input.item.facts, ["vir", "notice"], null))

# METADATA
# title: The stricter test for counselling notes was made
# scope: document
# custom:
#   source: sharing-rules.md L07 and 3.4, Requests
vir_counselling_test := truth(input.item.facts.vir.counselling_test) if {
	is_boolean(input.item.facts.vir.counselling_test)
} else := 1

# METADATA
# title: A senior officer approved that test
# scope: document
# custom:
#   source: sharing-rules.md L07 and 3.4, Requests
vir_senior_approval := truth(input.item.facts.vir.senior_approval) if {
	is_boolean(input.item.facts.vir.senior_approval)
} else := 1

# METADATA
# title: A text that is not empty
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
filled_text("") := 0

filled_text(given) := 2 if {
	is_string(given)
	given != ""
}

filled_text(given) := 1 if not is_string(given)

# METADATA
# title: A list that is not empty
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
filled_list([]) := 0

filled_list(given) := 2 if {
	is_array(given)
	given != []
}

filled_list(given) := 1 if not is_array(given)

# METADATA
# title: A number up to a limit
# description: Numbers are 0 and more; anything else is unknown.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
at_most(given, limit) := 2 * to_number(given <= limit) if {
	is_number(given)
	given >= 0
} else := 1

# METADATA
# title: A number from a limit
# description: Numbers are 0 and more; anything else is unknown.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
at_least(given, limit) := 2 * to_number(given >= limit) if {
	is_number(given)
	given >= 0
} else := 1

# METADATA
# title: The approvals are a list of known roles
# custom:
#   source: sharing-rules.md 3.4, Closed lists
known_approvals if {
	given := input.item.facts.approvals
	is_array(given)
	count([one | some one in given; one in data.codes.approvals]) == count(given)
}
