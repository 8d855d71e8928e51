# Data protection: purpose, role, channel, standing access, counts and addresses; requests; the basis
# in law. A hard deny is 2 (it denies), 0 (it does not) or 1 (unknown: a release becomes a hold).
package homeward.sharing

# METADATA
# title: HD2 The channel to the recipient is not verified
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, HD2
hd2 := 0 if {
	input.recipient.channel_verified == true
} else := 0 if {
	by_voice_only
} else := 2 if {
	input.recipient.channel_verified == false
} else := 1

# METADATA
# title: Danger is told to police and children's services at a number that is known
# scope: document
# custom:
#   source: sharing-rules.md 3.4, HD2
default by_voice_only := false

by_voice_only if {
	input.recipient.channel_verified == false
	g4 == 2
	recipient_type in {"police", "childrens_services"}
}

# METADATA
# title: HD3 No stated purpose or role
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, HD3
hd3 := 0 if {
	input.purpose in data.codes.purpose
	input.recipient.role in data.recipients[recipient_type].roles
} else := 2

# METADATA
# title: HD5 Counts that are small or let somebody be recognised
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, HD5; design.md 6, no deleted field opens
hd5 := 0 if {
	input.item.category != "aggregates"
	cell.asks_for_counts == false
} else := 0 if {
	counts == 2
} else := 2 if {
	input.item.category == "aggregates"
} else := 2 if {
	cell.asks_for_counts
	object.get(input.item.facts, "cell_counts", null) != null
} else := 1 if {
	# without counts nothing else leaves by such a row either: to delete them must open nothing
	cell.asks_for_counts
	opened
} else := 0

# METADATA
# title: Counts that may be given, five and more, none, or suppressed
# description: Never unknown; whatever is no such list is false.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
counts := 2 if {
	cells := input.item.facts.cell_counts
	is_array(cells)
	count(cells) > 0
	count([cell | some cell in cells; safe_cell(cell)]) == count(cells)
	input.item.facts.inferable == false
} else := 0

# METADATA
# title: One cell of a table that names nobody
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
safe_cell(null)

safe_cell(0)

safe_cell(cell) if {
	is_number(cell)
	cell >= 5
}

# METADATA
# title: HD6 Standing, browsing or bulk access by police
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, HD6
hd6 := 0 if {
	recipient_type != "police"
} else := 0 if {
	input.request.kind in {"push", "pull"}
} else := 2

# METADATA
# title: HD7 Counselling information to police
# scope: document
# custom:
#   source: sharing-rules.md L07 and 3.4, HD7
hd7 := 0 if {
	recipient_type != "police"
} else := 0 if {
	input.item.counselling == false
} else := 2 - max([
	g4,
	min([object.get(recorded, "G8", 1), vir_counselling_test, vir_senior_approval]),
])

# METADATA
# title: HD8 Identifiable data to a commissioner
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, HD8
hd8 := 0 if {
	recipient_type != "commissioner"
} else := 0 if {
	input.item.category in {"basic_outcome", "aggregates"}
} else := 0 if {
	counts == 2
	cell.asks_for_counts
} else := 0 if {
	input.item.category == "narrative"
	filled_text(input.item.facts.qa_dpia_ref) == 2
} else := 2

# METADATA
# title: HD9 A confidential address
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, HD9
hd9 := 0 if {
	input.item.category != "contact_address"
} else := 0 if {
	input.child.address_confidential == false
} else := 0 if {
	seat == "responsible_la"
} else := 0 if {
	recipient_type in {"police", "health"}
	g4 == 2
} else := 0 if {
	recipient_type == "police"
	input.item.facts.open_missing == true
} else := 2 if {
	input.child.address_confidential == true
} else := 1

# METADATA
# title: REQ Asked for by somebody for whom no law of requests is written
# description: Answers false only where the question is a push, or a pull by police or children's services.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Requests
default asked_for := true

asked_for := false if input.request.kind == "push"

asked_for := false if {
	input.request.kind == "pull"
	recipient_type in {"police", "childrens_services"}
}

# METADATA
# title: Bases in law that a release by this row names
# description: LO where section 16LA is in force, else PT, or RL where a charity is the controller.
# scope: document
# custom:
#   source: design.md 6; sharing-rules.md L01 and L02
basis := [code |
	some i, code in basis_now_of_each
	not code in array.slice(basis_now_of_each, 0, i)
]

# METADATA
# title: The codes of the row, each as it is named on the day
# custom:
#   source: design.md 6
basis_now_of_each := [basis_now(written) | some written in text.basis]

# METADATA
# title: A basis as it is named on the day
# scope: document
# custom:
#   source: design.md 6
basis_now(written) := written if {
	written != "LO"
} else := "LO" if {
	input.law.s16la_in_force == true
	input.law.as_of >= data.law.s16la.in_force_from
} else := "RL" if {
	input.law.controller == "charity"
} else := "PT"
