# Who must not be told because a child could be hurt. Each test changes the usual document by what its name says.
package homeward.sharing_test

import data.homeward.sharing

test_who_may_have_harmed_the_child_is_told_nothing_even_when_agreed if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/recipient/alleged_perpetrator", "value": "yes"},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "narrative"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD1", "CAR-02"]
}

test_who_is_connected_to_them_is_told_nothing if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/recipient/connected_to_perpetrator", "value": "yes"},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "narrative"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD1", "CAR-02"]
}

test_an_open_connection_holds_what_would_be_told_to_a_carer if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/recipient/connected_to_perpetrator", "value": "unassessed"},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "narrative"},
		{"op": "add", "path": "/alleged_perpetrator", "value": "other"},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["HD1", "CAR-02"]
}

test_an_open_connection_does_not_stop_that_a_talk_took_place if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/recipient/connected_to_perpetrator", "value": "unassessed"},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "basic_outcome"},
		{"op": "add", "path": "/alleged_perpetrator", "value": "other"},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow"
	answer.rule_ids == ["CAR-01"]
}

test_an_open_connection_does_not_keep_an_ambulance_away if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "health"},
		{"op": "add", "path": "/recipient/role", "value": "named_clinician"},
		{"op": "add", "path": "/recipient/connected_to_perpetrator", "value": "unassessed"},
		{"op": "add", "path": "/item/category", "value": "health"},
		{"op": "add", "path": "/alleged_perpetrator", "value": "other"},
		{"op": "add", "path": "/gates/G4", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow"
	answer.rule_ids == ["G4", "HEA-07"]
}

test_another_childs_account_stays_with_that_child if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/provenance", "value": "other_child_said"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD4", "POL-03"]
}

test_nothing_is_told_of_a_child_whose_identity_is_open_without_harm if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/child/identity_status", "value": "unverified"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["HD10", "POL-03"]
}

test_with_an_open_identity_significant_harm_is_told_marked_provisional if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "childrens_services"},
		{"op": "add", "path": "/recipient/role", "value": "responsible_la"},
		{"op": "add", "path": "/item/category", "value": "harm"},
		{"op": "add", "path": "/child/identity_status", "value": "unverified"},
		{"op": "add", "path": "/gates/G3", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["G2", "CSC-06"]
}

test_with_an_open_identity_a_yes_opens_nothing if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/child/identity_status", "value": "unverified"},
		{"op": "add", "path": "/gates/G3", "value": a_gate(true)},
		{"op": "add", "path": "/item/category", "value": "basic_outcome"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["POL-01"]
}

test_carers_wait_while_harm_at_home_is_open if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "narrative"},
		{"op": "add", "path": "/alleged_perpetrator", "value": "household"},
		{"op": "add", "path": "/gates/G3", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["H1", "CAR-02"]
}

test_harm_itself_is_not_told_to_a_carer_before_the_strategy_discussion if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "harm"},
		{"op": "add", "path": "/alleged_perpetrator", "value": "household"},
		{"op": "add", "path": "/gates/G3", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["H1", "CAR-06"]
}

test_a_carer_who_is_not_to_be_told_is_told_nothing if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "narrative"},
		{"op": "add", "path": "/alleged_perpetrator", "value": "other"},
		{"op": "add", "path": "/strategy_decision", "value": "carer_not_to_be_told"},
	])
	answer := sharing.decision with input as document
	answer.decision == "deny"
	answer.rule_ids == ["H1", "CAR-02"]
}

test_a_professional_carer_does_not_wait_for_familial_harm if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_professional"},
		{"op": "add", "path": "/recipient/role", "value": "foster_carer"},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "narrative"},
		{"op": "add", "path": "/alleged_perpetrator", "value": "familial"},
		{"op": "add", "path": "/gates/G3", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["CAR-02"]
}

test_after_the_strategy_discussion_a_carer_hears_what_was_decided if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "carer_parent"},
		{"op": "add", "path": "/recipient/role", "value": "mother"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/recipient/pr", "value": true},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "harm"},
		{"op": "add", "path": "/alleged_perpetrator", "value": "familial"},
		{"op": "add", "path": "/strategy_decision", "value": "carer_may_be_told"},
		{"op": "add", "path": "/gates/G3", "value": a_gate(true)},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["CAR-06"]
}
