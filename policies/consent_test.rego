# Who can agree, and who objects. Each test changes the usual document by what its name says.
package homeward.sharing_test

import data.homeward.sharing

test_a_declined_code_stays_with_us if {
	document := usual
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["POL-03"]
}

test_a_competent_child_who_agrees_knowingly_opens_the_codes if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["POL-03"]
}

test_agreement_without_its_consequences_explained_is_no_agreement if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/agreement/consequences_explained", "value": false},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["POL-03"]
}

test_agreement_of_a_child_not_yet_judged_competent_is_held if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/child/competence", "value": "unassessed"},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["POL-03"]
}

test_agreement_of_a_child_judged_not_competent_opens_nothing if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/child/competence", "value": "not_competent"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["POL-03"]
}

test_a_parent_cannot_agree_for_a_competent_child if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/agreement/by", "value": "pr_holder"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["POL-03"]
}

test_a_parent_agrees_for_a_child_who_is_not_competent if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/agreement/by", "value": "pr_holder"},
		{"op": "add", "path": "/child/competence", "value": "not_competent"},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["POL-03"]
}

test_at_eighteen_everybody_is_competent if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/child/age", "value": 18},
		{"op": "add", "path": "/child/competence", "value": "not_competent"},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["POL-03"]
}

test_agreement_taken_back_is_no_agreement if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "withdrawn"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["POL-03"]
}

test_a_mother_learns_that_a_talk_took_place_when_the_child_was_not_asked if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/item/category", "value": "basic_outcome"},
		{"op": "add", "path": "/agreement/status", "value": "not_asked"},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["CAR-01"]
}

test_a_mother_does_not_learn_it_when_the_child_objects if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/item/category", "value": "basic_outcome"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["CAR-01"]
}

test_an_objection_of_a_child_who_is_not_competent_does_not_close_it if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/item/category", "value": "basic_outcome"},
		{"op": "add", "path": "/child/competence", "value": "not_competent"},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["CAR-01"]
}

test_a_risk_of_harm_goes_over_an_objection if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/item/category", "value": "basic_outcome"},
		{"op": "add", "path": "/gates/G2", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["G2", "CAR-01"]
}
