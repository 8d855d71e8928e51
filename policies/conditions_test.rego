# What a fact says to a row: 2 true, 0 false, 1 not known. Each test changes the usual document by what its name says.
package homeward.sharing_test

import data.homeward.sharing

told(facts) := json.patch(usual, [{"op": "add", "path": "/item/facts", "value": facts}])

hosted(facts) := json.patch(told(facts), [{"op": "add", "path": "/child/host_la", "value": "southshire"}])

test_a_place_is_in_the_area_that_hosts_the_child_or_it_is_not_or_nobody_knows if {
	sharing.place_in_host_area == 2 with input as hosted({"place_la": "southshire"})
	sharing.place_in_host_area == 0 with input as hosted({"place_la": "northshire"})
	every odd in [{}, {"place_la": null}, {"place_la": 7}] {
		sharing.place_in_host_area == 1 with input as hosted(odd)
	}
}

test_approval_takes_the_dpo_and_the_dsl if {
	sharing.approved == 2 with input as told({"approvals": ["dpo", "dsl"]})
	every some_of_them in [[], ["dpo"], ["dsl"]] {
		sharing.approved == 0 with input as told({"approvals": some_of_them})
	}
	sharing.approved == 1 with input as told({})
}

test_a_senior_officer_has_approved_or_has_not_or_nobody_knows if {
	sharing.vir_senior_approval == 2 with input as told({"vir": {"senior_approval": true}})
	sharing.vir_senior_approval == 0 with input as told({"vir": {"senior_approval": false}})
	every odd in [null, "true", 1, ["yes"]] {
		sharing.vir_senior_approval == 1 with input as told({"vir": {"senior_approval": odd}})
	}
}

test_a_number_below_nothing_is_not_known if {
	sharing.at_most(0, 3) == 2
	sharing.at_most(4, 3) == 0
	sharing.at_most(-1, 3) == 1
	sharing.at_most("1", 3) == 1
}

test_whether_a_carer_may_be_told_is_open_until_the_authority_or_the_facts_say if {
	open := json.patch(usual, [
		{"op": "add", "path": "/strategy_decision", "value": "not_held"},
		{"op": "add", "path": "/alleged_perpetrator", "value": "none"},
	])
	sharing.la_has_decided == 1 with input as open
	not_told := json.patch(open, [{"op": "add", "path": "/strategy_decision", "value": "carer_not_to_be_told"}])
	sharing.la_has_decided == 0 with input as not_told
	may := json.patch(open, [{"op": "add", "path": "/strategy_decision", "value": "carer_may_be_told"}])
	sharing.la_has_decided == 2 with input as may
}

test_a_child_who_is_told_their_own_words_hears_that_they_are_their_own if {
	own := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "young_person"},
		{"op": "add", "path": "/recipient/role", "value": "self"},
		{"op": "add", "path": "/recipient/is_16la_body", "value": false},
		{"op": "add", "path": "/item/category", "value": "narrative"},
		{"op": "add", "path": "/gates/G1", "value": a_gate(false)},
		{"op": "add", "path": "/gates/G5", "value": a_gate(false)},
	])
	answer := sharing.decision with input as own
	answer.decision == "allow"
	answer.reasons == [data.reasons.released.self]
}

test_who_is_told_the_same_about_every_child_hears_that if {
	always := json.patch(usual, [
		{"op": "add", "path": "/recipient/type", "value": "childrens_services"},
		{"op": "add", "path": "/recipient/role", "value": "responsible_la"},
		{"op": "add", "path": "/item/category", "value": "basic_outcome"},
	])
	answer := sharing.decision with input as always
	answer.decision == "allow"
	answer.reasons == [data.reasons.released.always]
}

test_the_sweep_leaves_alone_rows_that_know_g1 if {
	knows := json.patch(usual, [
		{"op": "add", "path": "/item/category", "value": "basic_outcome"},
		{"op": "add", "path": "/gates/G1", "value": a_gate(true)},
	])
	sharing.sweep == false with input as knows
}

test_the_sweep_leaves_alone_counts_about_adults if {
	counts := json.patch(usual, [
		{"op": "add", "path": "/child/age", "value": 19},
		{"op": "add", "path": "/item/category", "value": "aggregates"},
		{"op": "add", "path": "/gates/G2", "value": a_gate(true)},
	])
	sharing.sweep == false with input as counts
	to_the_authority := json.patch(counts, [
		{"op": "add", "path": "/recipient/type", "value": "childrens_services"},
		{"op": "add", "path": "/recipient/role", "value": "responsible_la"},
	])
	sharing.sweep == false with input as to_the_authority
}
