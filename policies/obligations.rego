# What must be done when something is told, and what is taken out or marked.
package homeward.sharing

# METADATA
# title: What is owed, on a release
# description: They follow the gates that are true, whichever path opened.
# scope: document
# custom:
#   source: design.md 6
release_obligations := [duty |
	some duty in [
		"log_reason_share_or_not", "recipient_ack", "recall_ready", "tell_child_first", "same_day",
		"log_within_1h", "dsl_signoff", "label_provenance",
	]
	owed(duty)
]

# METADATA
# title: One obligation
# scope: document
# custom:
#   source: design.md 6
owed("log_reason_share_or_not")

owed("recipient_ack")

owed("recall_ready")

owed("tell_child_first") if {
	agreement < 2
	not exempt_from_telling
}

owed("same_day") if g3 == 2

owed("log_within_1h") if g4 == 2

owed("dsl_signoff") if {
	opening_gate in {"G2", "G5"}
	objects == 2
}

owed("dsl_signoff") if opening_gate in {"G7", "G8"}

owed("label_provenance") if input.item.category in {"narrative", "associates"}

owed("label_provenance") if input.item.verbatim == true

# METADATA
# title: Telling the child first would put somebody in danger
# scope: document
# custom:
#   source: design.md 6
exempt_from_telling if input.item.facts.telling_raises_risk == true

exempt_from_telling if g4 == 2

# METADATA
# title: The gate that opened the path, the first written that is true
# custom:
#   source: sharing-rules.md 3.4, rule_ids
opening_gate := [name | some name in opened.gates; gate_in_rows(name) == 2][0]

# METADATA
# title: A gate as the rows read it
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
gate_in_rows("G1") := g1

gate_in_rows("G2") := g2

gate_in_rows("G3") := g3

gate_in_rows("G4") := g4

gate_in_rows("G5") := g5

gate_in_rows("G7") := g7

gate_in_rows("G8") := g8

# METADATA
# title: What is taken out or marked, the path's own first
# custom:
#   source: sharing-rules.md 3.4
transforms := array.concat(opened.transforms, [mark |
	some mark in ["mask_third_parties", "mask_source", "voice_callback", "mark_provisional"]
	added(mark)
])

# METADATA
# title: A transform added to any release
# scope: document
# custom:
#   source: sharing-rules.md 3.4, allow_redacted, HD2 and HD10
added("mask_third_parties") if {
	not input.item.third_parties == []
	not to_an_authority
}

added("mask_source") if {
	adult
	not input.item.subject == "child"
}

added("voice_callback") if by_voice_only

added("mark_provisional") if provisional

# METADATA
# title: Police and children's services see who else is named
# custom:
#   source: sharing-rules.md 3.4, allow_redacted
to_an_authority if recipient_type in {"police", "childrens_services"}

# METADATA
# title: By when a person works on a hold
# description: One hour where harm is known, or unknown in a matter of harm.
# scope: document
# custom:
#   source: sharing-rules.md 3.2 and 3.4, defer_to
due_h := data.hold_due_h.harm if {
	g3 == 2
} else := data.hold_due_h.harm if {
	g3 == 1
	input.item.category == "harm"
} else := data.hold_due_h.harm if {
	g3 == 1
	not perpetrator_elsewhere
} else := data.hold_due_h.usual

# METADATA
# title: Whoever may have harmed the child is known not to be near
# custom:
#   source: sharing-rules.md 3.4, defer_to
perpetrator_elsewhere if input.alleged_perpetrator in {"none", "other"}
