# The usual document: a child of fifteen, verified, said no; police, push and pull factors, no harm.
package homeward.sharing_test

# METADATA
# title: The usual document, which each test changes in one way
# custom:
#   source: design.md 6
usual := {
	"now": "2026-11-30T17:25:00+00:00",
	"law": {
		"as_of": "2026-11-30",
		"s16la_in_force": true,
		"csa_duty_in_force": false,
		"controller": "charity",
	},
	"request": {
		"kind": "push",
		"instrument": null,
	},
	"purpose": "prevent_harm",
	"child": {
		"id": "C-1",
		"age": 15,
		"identity_status": "verified",
		"legal_status": "home",
		"responsible_la": "northshire",
		"host_la": null,
		"address_confidential": false,
		"competence": "competent",
	},
	"episode": {
		"id": "E-1",
		"setting": "home",
	},
	"item": {
		"id": "I-7",
		"category": "push_pull",
		"subject": "child",
		"provenance": "child_said",
		"verbatim": false,
		"third_parties": [],
		"counselling": false,
		"offence_data": false,
		"special": [],
		"facts": {
			"police_purpose": "prevention",
		},
	},
	"recipient": {
		"id": "northshire-police",
		"type": "police",
		"role": "missing_unit",
		"is_16la_body": true,
		"competent_authority": true,
		"channel_verified": true,
		"pr": false,
		"lives_with_child": false,
		"alleged_perpetrator": "no",
		"connected_to_perpetrator": "no",
	},
	"agreement": {
		"status": "declined",
		"by": "child",
		"consequences_explained": true,
	},
	"gates": {"G2": a_gate(false), "G3": a_gate(false), "G4": a_gate(false), "G6": a_gate(false)},
	"alleged_perpetrator": "none",
	"strategy_decision": "not_held",
}

# METADATA
# title: A gate that somebody judged
# custom:
#   source: sharing-rules.md 3.2
a_gate(value) := {
	"value": value,
	"by": "W-3",
	"role": "dsl",
	"at": "2026-11-30T17:20:00+00:00",
	"reason": "as it was seen",
}
