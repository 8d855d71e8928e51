# Purpose, role, channel, counts, addresses and requests. Each test changes the usual document by what its name says.
package homeward.sharing_test

import data.homeward.sharing

test_an_unverified_channel_is_not_used if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/recipient/channel_verified", "value": false},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD2", "POL-03"]
}

test_danger_is_told_by_voice_to_a_known_number if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/recipient/channel_verified", "value": false},
		{"op": "add", "path": "/gates/G4", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["G4", "POL-03"]
}

test_without_a_purpose_nothing_is_told if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/purpose", "value": "curiosity"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD3", "POL-03"]
}

test_a_role_of_another_type_is_no_role if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/recipient/role", "value": "dsl"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD3", "POL-03"]
}

test_counts_under_five_are_not_given if {
	document := json.patch(usual, [
		{"op": "add", "path": "/item/category", "value": "aggregates"},
		{"op": "add", "path": "/item/facts", "value": {"cell_counts": [4, 9], "inferable": false}},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD5", "POL-11"]
}

test_counts_of_five_and_more_are_given if {
	document := json.patch(usual, [
		{"op": "add", "path": "/item/category", "value": "aggregates"},
		{"op": "add", "path": "/item/facts", "value": {"cell_counts": [null, 0, 5], "inferable": false}},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow"
	answer.rule_ids == ["POL-11"]
}

test_counts_from_which_somebody_can_be_inferred_are_not_given if {
	document := json.patch(usual, [
		{"op": "add", "path": "/item/category", "value": "aggregates"},
		{"op": "add", "path": "/item/facts", "value": {"cell_counts": [5], "inferable": true}},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD5", "POL-11"]
}

# An order about health, to the panel, where the row asks for counts.
ordered := json.patch(usual, [
	{"op": "replace", "path": "/recipient/type", "value": "lscp_panel"},
	{"op": "replace", "path": "/recipient/role", "value": "panel_member"},
	{"op": "replace", "path": "/item/category", "value": "health"},
	{"op": "replace", "path": "/request/instrument", "value": "order 7"},
	{"op": "add", "path": "/gates/G7", "value": {
		"value": true, "by": "D-1", "role": "dpo", "at": "2026-11-30T17:20:00+00:00", "reason": "read",
	}},
	{"op": "replace", "path": "/item/facts", "value": {"approvals": ["dpo", "dsl"], "cell_counts": [4]}},
])

test_small_counts_are_not_given_by_an_order_either if {
	answer := sharing.decision with input as ordered
	answer.decision == "deny"
	answer.rule_ids == ["HD5", "LSC-07"]
}

test_deleting_small_counts_opens_nothing if {
	answer := sharing.decision with input as json.patch(ordered, [{"op": "remove", "path": "/item/facts/cell_counts"}])
	answer.decision == "defer"
	answer.rule_ids == ["HD5", "LSC-07"]
}

test_police_do_not_browse if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/request/kind", "value": "browse"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD6", "POL-03"]
}

test_support_talks_are_not_for_police if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/counselling", "value": true},
		{"op": "add", "path": "/gates/G8", "value": a_gate(false)},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD7", "POL-03"]
}

test_support_talks_are_held_while_a_request_is_not_judged if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/counselling", "value": true},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["HD7", "POL-03"]
}

test_a_commissioner_gets_no_narrative if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "commissioner"},
		{"op": "add", "path": "/recipient/role", "value": "contract_team"},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "narrative"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD8", "COM-02"]
}

test_a_sample_for_quality_goes_to_the_dpo if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "commissioner"},
		{"op": "add", "path": "/recipient/role", "value": "contract_team"},
		{"op": "add", "path": "/item/category", "value": "narrative"},
		{"op": "add", "path": "/item/facts", "value": {"qa_dpia_ref": "D-1"}},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["COM-02"]
}

test_a_commissioner_gets_a_row_with_a_key if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "commissioner"},
		{"op": "add", "path": "/recipient/role", "value": "contract_team"},
		{"op": "add", "path": "/item/category", "value": "basic_outcome"},
		{"op": "add", "path": "/item/facts", "value": {"pseudonym_key": "k"}},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["COM-01"]
}

test_a_confidential_address_stays_confidential if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "health"},
		{"op": "add", "path": "/recipient/role", "value": "named_clinician"},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "contact_address"},
		{"op": "add", "path": "/child/address_confidential", "value": true},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD9", "HEA-08"]
}

test_the_responsible_authority_has_the_address if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "childrens_services"},
		{"op": "add", "path": "/recipient/role", "value": "responsible_la"},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "contact_address"},
		{"op": "add", "path": "/child/address_confidential", "value": true},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow"
	answer.rule_ids == ["CSC-08"]
}

test_a_school_that_asks_waits_for_a_person if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "school_dsl"},
		{"op": "add", "path": "/recipient/role", "value": "dsl"},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "wishes"},
		{"op": "add", "path": "/request/kind", "value": "pull"},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["REQ", "SCH-10"]
}

test_what_police_request_goes_to_dpo_and_dsl_even_when_agreed if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/request/kind", "value": "pull"},
		{"op": "add", "path": "/gates/G8", "value": a_gate(false)},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["POL-12"]
}

test_a_request_by_police_without_any_ground_is_refused if {
	document := json.patch(usual, [
		{"op": "add", "path": "/request/kind", "value": "pull"},
		{"op": "add", "path": "/gates/G8", "value": a_gate(false)},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["POL-12"]
}
