# Gates: what meets them, and when they are unassessed. Each test changes the usual document by what its name says.
package homeward.sharing_test

import data.homeward.sharing

test_a_risk_of_harm_and_a_plan_to_prevent_it_open_the_codes if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G2", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["G2", "POL-03"]
}

test_significant_harm_meets_a_risk_of_harm if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G3", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["G2", "POL-03"]
}

test_sexual_abuse_meets_significant_harm if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "childrens_services"},
		{"op": "add", "path": "/recipient/role", "value": "responsible_la"},
		{"op": "add", "path": "/item/category", "value": "narrative"},
		{"op": "add", "path": "/gates/G6", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow"
	answer.rule_ids == ["G3", "CSC-02"]
}

test_a_gate_without_its_by_is_unassessed if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G2", "value": {"value": true, "role": "dsl", "at": "2026-11-30T17:20:00+00:00", "reason": "as it was seen"}},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["POL-03"]
}

test_a_gate_without_its_role_is_unassessed if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G2", "value": {"value": true, "by": "W-3", "at": "2026-11-30T17:20:00+00:00", "reason": "as it was seen"}},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["POL-03"]
}

test_a_gate_without_its_at_is_unassessed if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G2", "value": {"value": true, "by": "W-3", "role": "dsl", "reason": "as it was seen"}},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["POL-03"]
}

test_a_gate_without_its_reason_is_unassessed if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G2", "value": {"value": true, "by": "W-3", "role": "dsl", "at": "2026-11-30T17:20:00+00:00"}},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["POL-03"]
}

test_a_gate_whose_value_is_null_is_unassessed if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G2", "value": a_gate(null)},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["POL-03"]
}

test_a_gate_whose_value_is_a_word_is_unassessed if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G2", "value": a_gate("true")},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["POL-03"]
}

test_a_gate_signed_by_an_empty_name_is_unassessed if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G2", "value": {"value": true, "by": "", "role": "dsl", "at": "2026-11-30T17:20:00+00:00", "reason": "x"}},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["POL-03"]
}

test_a_duty_that_the_row_does_not_foresee_goes_to_a_person if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G1", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["SWEEP", "POL-03"]
}

test_the_duty_does_not_bind_a_body_that_the_law_does_not_name if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G1", "value": a_gate(true)},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["POL-03"]
}

test_the_duty_ends_at_eighteen if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G1", "value": a_gate(true)},
		{"op": "add", "path": "/child/age", "value": 18},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["POL-03"]
}

test_harm_recorded_for_somebody_now_an_adult_goes_to_a_person if {
	document := json.patch(usual, [
		{"op": "add", "path": "/gates/G2", "value": a_gate(true)},
		{"op": "add", "path": "/child/age", "value": 18},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["SWEEP", "POL-03"]
}

test_an_adult_is_never_refused_to_childrens_services_without_a_person if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "childrens_services"},
		{"op": "add", "path": "/recipient/role", "value": "responsible_la"},
		{"op": "add", "path": "/item/category", "value": "narrative"},
		{"op": "add", "path": "/child/age", "value": 18},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["SWEEP", "CSC-02"]
}
