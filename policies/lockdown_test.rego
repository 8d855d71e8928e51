# During a lockdown nothing leaves but by immediate danger. Each test changes the usual document.
package homeward.sharing_test

import data.homeward.sharing

agreed_to_police := json.patch(usual, [{"op": "add", "path": "/agreement/status", "value": "agreed"}])

in_danger := json.patch(agreed_to_police, [{"op": "add", "path": "/gates/G4", "value": a_gate(true)}])

harmed := json.patch(usual, [
	{"op": "add", "path": "/item/category", "value": "harm"},
	{"op": "add", "path": "/item/facts/consensual_peer", "value": false},
	{"op": "add", "path": "/gates/G3", "value": a_gate(true)},
])

test_without_a_lockdown_it_is_told if {
	answer := sharing.decision with input as agreed_to_police
	answer.decision == "allow_redacted"
}

test_what_was_agreed_is_held_for_the_dsl if {
	answer := sharing.decision with input as agreed_to_police with data.lockdown as true
	answer.decision == "defer"
	answer.rule_ids == ["LOCKDOWN", "POL-03"]
	answer.defer_to == {"owner": "dsl", "due_h": 4}
	answer.transforms == []
	answer.gates_used == []
	answer.reasons == [data.reasons.LOCKDOWN, data.reasons.waits]
}

test_serious_harm_is_held_within_the_hour_and_not_refused if {
	answer := sharing.decision with input as harmed with data.lockdown as true
	answer.rule_ids == ["LOCKDOWN", "POL-06"]
	answer.defer_to == {"owner": "dsl", "due_h": 1}
}

test_immediate_danger_is_told_by_its_own_path_though_another_is_open if {
	answer := sharing.decision with input as in_danger with data.lockdown as true
	answer.decision == "allow_redacted"
	answer.gates_used == ["G4"]
	answer.rule_ids == ["G4", "POL-03"]
	answer.transforms == ["minimum_facts"]
}

test_immediate_danger_does_not_beat_a_hard_deny if {
	document := json.patch(in_danger, [{"op": "add", "path": "/item/provenance", "value": "other_child_said"}])
	answer := sharing.decision with input as document with data.lockdown as true
	answer.rule_ids == ["HD4", "POL-03"]
	answer.decision == "deny"
}

test_a_refusal_stays_a_refusal if {
	answer := sharing.decision with input as usual with data.lockdown as true
	answer.decision == "deny"
	answer.rule_ids == ["POL-03"]
}

test_what_is_not_judged_yet_stays_the_hold_that_it_was if {
	document := json.patch(usual, [{"op": "remove", "path": "/gates/G2"}])
	answer := sharing.decision with input as document with data.lockdown as true
	answer.decision == "defer"
	answer.rule_ids == ["POL-03"]
}

test_a_switch_that_says_anything_but_false_is_on if {
	every said in [true, null, "false", "", 0, [], {}, [false], {"lockdown": false}] {
		answer := sharing.decision with input as agreed_to_police with data.lockdown as said
		answer.rule_ids == ["LOCKDOWN", "POL-03"]
	}
}
