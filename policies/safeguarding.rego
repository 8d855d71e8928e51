# Safeguarding: who must not be told because a child could be hurt, and hold H1 for carers. A hard
# deny is 2 (it denies), 0 (it does not) or 1 (unknown: a release becomes a hold).
package homeward.sharing

# METADATA
# title: HD1 The recipient is, or is connected to, the alleged perpetrator
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, HD1
hd1 := 2 if {
	input.recipient.alleged_perpetrator == "yes"
} else := 2 if {
	input.recipient.connected_to_perpetrator == "yes"
} else := 0 if {
	input.recipient.alleged_perpetrator == "no"
	input.recipient.connected_to_perpetrator == "no"
} else := 0 if {
	input.alleged_perpetrator == "none"
} else := 0 if {
	recipient_type in {
		"police", "childrens_services", "lscp_panel", "lscp_strategic",
		"commissioner",
	}
} else := 0 if {
	recipient_type == "health"
	g4 == 2
} else := 0 if {
	# that a talk took place may be told while connections are still looked into
	row_id == "CAR-01"
	input.recipient.alleged_perpetrator == "no"
} else := 1

# METADATA
# title: HD4 Another child's account
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, HD4
hd4 := 2 if {
	input.item.provenance == "other_child_said"
} else := 0 if {
	input.item.provenance in data.codes.provenance
} else := 1

# METADATA
# title: HD10 It is not certain who the child is
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, HD10
hd10 := 0 if {
	input.child.identity_status == "verified"
} else := 0 if {
	input.item.category == "aggregates"
} else := 2 - max([g3, g4])

# METADATA
# title: H1 Carers, while it is open who at home or in the family may have harmed the child
# description: 'Answers "none" only where that is certain.'
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, H1
h1 := "none" if {
	data.recipients[recipient_type].carer == false
} else := "none" if {
	input.item.category == "aggregates"
} else := "deny" if {
	input.strategy_decision == "carer_not_to_be_told"
	input.item.category != "basic_outcome"
} else := "deny" if {
	input.strategy_decision == "carer_not_to_be_told"
	inside
} else := "none" if {
	input.strategy_decision in {"carer_may_be_told", "carer_not_to_be_told"}
} else := "none" if {
	g3 == 0
} else := "none" if {
	input.alleged_perpetrator in {"none", "other"}
} else := "none" if {
	input.alleged_perpetrator == "familial"
	recipient_type == "carer_professional"
} else := "none" if {
	input.alleged_perpetrator == "familial"
	input.item.category == "basic_outcome"
} else := "deny" if {
	input.item.category == "harm"
} else := "defer"

# METADATA
# title: The alleged perpetrator may live where the child lives
# custom:
#   source: sharing-rules.md 3.4, H1
inside if input.alleged_perpetrator in {"household", "unassessed"}

# METADATA
# title: The authority has decided who tells the carer
# scope: document
# custom:
#   source: sharing-rules.md 3.4, CAR-06
la_has_decided := 2 if {
	input.strategy_decision == "carer_may_be_told"
} else := 0 if {
	input.strategy_decision == "carer_not_to_be_told"
} else := 0 if {
	input.alleged_perpetrator in {"familial", "household"}
} else := 1

# METADATA
# title: Sweep, a duty or a risk that the table does not foresee goes to a person
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, step 5
default sweep := false

sweep if {
	g1 == 2
	cell.uses_g1 == false
	swept_over
}

sweep if {
	recipient_type == "childrens_services"
	swept_over
	2 in {g2, g5}
}

sweep if {
	recipient_type == "childrens_services"
	adult
	swept_over
}

sweep if {
	about_an_adult
	swept_over
	2 in {in_rows("G2"), object.get(recorded, "G3", 0), object.get(recorded, "G6", 0)}
}

# METADATA
# title: What the sweep looks at
# custom:
#   source: sharing-rules.md 3.4, step 5
swept_over if {
	input.item.category != "aggregates"
	row_id != "POL-12"
}
