# The answer as a whole: its names, what is owed, marks, basis and reasons.
package homeward.sharing_test

import data.homeward.sharing

test_the_table_has_79_rows_or_more_for_new_types_of_recipients if count(data.table) >= 79

test_the_example_of_the_contract_is_answered_as_it_stands_there if {
	answer := sharing.decision with input as usual
	answer == {
		"decision": "deny", "rule_ids": ["POL-03"], "gates_used": [], "basis": [],
		"transforms": [], "obligations": ["log_reason_share_or_not"],
		"reasons": ["The child said no and no gate is met."],
		"defer_to": null, "policy_version": data.policy_version,
	}
}

test_danger_owes_a_log_within_the_hour_and_does_not_wait_for_the_child if {
	document := json.patch(usual, [{"op": "add", "path": "/gates/G4", "value": a_gate(true)}])
	answer := sharing.decision with input as document
	answer.obligations == ["log_reason_share_or_not", "recipient_ack", "recall_ready", "log_within_1h", "dsl_signoff"]
}

test_a_risk_against_an_objection_owes_the_dsl_and_telling_the_child if {
	document := json.patch(usual, [{"op": "add", "path": "/gates/G2", "value": a_gate(true)}])
	answer := sharing.decision with input as document
	answer.obligations == ["log_reason_share_or_not", "recipient_ack", "recall_ready", "tell_child_first", "dsl_signoff"]
	answer.gates_used == ["G2"]
}

test_the_basis_is_the_duty_from_the_day_it_is_in_force if {
	document := json.patch(usual, [{"op": "add", "path": "/agreement/status", "value": "agreed"}])
	answer := sharing.decision with input as document
	answer.basis == ["PT", "LO"]
}

test_before_that_day_a_charity_names_a_recognised_interest if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/law/as_of", "value": "2026-09-29"},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.basis == ["PT", "RL"]
}

test_a_hold_on_harm_is_due_within_the_hour if {
	document := json.patch(usual, [
		{"op": "add", "path": "/item/category", "value": "harm"},
		{"op": "remove", "path": "/gates/G3"},
	])
	answer := sharing.decision with input as document
	answer.defer_to == {"owner": "dsl", "due_h": 1}
}

test_any_other_hold_is_due_within_four_hours if {
	document := json.patch(usual, [{"op": "remove", "path": "/gates/G2"}])
	answer := sharing.decision with input as document
	answer.defer_to == {"owner": "dsl", "due_h": 4}
}

test_others_who_are_named_are_masked_for_everybody_but_the_authorities if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "school_dsl"},
		{"op": "add", "path": "/recipient/role", "value": "dsl"},
		{"op": "add", "path": "/item/category", "value": "wishes"},
		{"op": "add", "path": "/item/third_parties", "value": ["P-1"]},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
	])
	answer := sharing.decision with input as document
	answer.transforms == ["mask_third_parties"]
	answer.decision == "allow_redacted"
}

test_a_row_whose_text_is_not_yet_valid_opens_nothing if {
	document := json.patch(usual, [{"op": "add", "path": "/agreement/status", "value": "agreed"}])
	later := json.patch(data.cells["POL-03"], [{"op": "replace", "path": "/0/from", "value": "2027-01-01"}])
	answer := sharing.decision with input as document with data.cells["POL-03"] as later
	answer.decision == "defer"
}
