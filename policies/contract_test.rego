# What does not fit is held. Each test changes the usual document by what its name says.
package homeward.sharing_test

import data.homeward.sharing

test_an_empty_document_is_held if {
	document := {}
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["INCOMPLETE"]
}

test_an_age_in_words_does_not_fit if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/child/age", "value": "15"},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["INCOMPLETE"]
}

test_an_unknown_category_does_not_fit if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/item/category", "value": "gossip"},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["INCOMPLETE"]
}

test_gates_that_are_a_list_do_not_fit if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/gates", "value": []},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["INCOMPLETE"]
}

test_a_null_where_none_is_said_does_not_fit if {
	document := json.patch(usual, [
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
		{"op": "add", "path": "/agreement/by", "value": null},
	])
	answer := sharing.decision with input as document
	answer.decision == "defer"
	answer.rule_ids == ["INCOMPLETE"]
}

test_the_older_name_of_the_panel_is_understood if {
	document := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "lscb"},
		{"op": "add", "path": "/recipient/role", "value": "panel_member"},
		{"op": "add", "path": "/agreement/status", "value": "agreed"},
	])
	answer := sharing.decision with input as document
	answer.decision == "allow_redacted"
	answer.rule_ids == ["LSC-03"]
}
