# Does the document fit the decision contract? What does not fit is held and never released.
package homeward.sharing

# METADATA
# title: The document fits the contract
# description: Every field is there with its type and every code is of its closed list.
# custom:
#   source: design.md 6
fits if {
	has_truths
	has_words
	has_codes
	_ = input.purpose
	_ = input.recipient.role
	is_number(input.child.age)
	input.child.age >= 0
	floor(input.child.age) == input.child.age
	type_name(input.request.instrument) in {"null", "string"}
	type_name(input.child.host_la) in {"null", "string"}
	is_array(input.item.third_parties)
	is_array(input.item.special)
	is_object(input.item.facts)
	is_object(input.gates)
}

# METADATA
# title: What must be true or false is
# custom:
#   source: design.md 6
has_truths if {
	given := [
		input.law.s16la_in_force,
		input.law.csa_duty_in_force,
		input.child.address_confidential,
		input.item.verbatim,
		input.item.counselling,
		input.item.offence_data,
		input.recipient.is_16la_body,
		input.recipient.competent_authority,
		input.recipient.channel_verified,
		input.recipient.pr,
		input.recipient.lives_with_child,
		input.agreement.consequences_explained,
	]

	# Rego orders null, booleans, numbers: from false to true are booleans
	min(given) >= false
	max(given) <= true
}

# METADATA
# title: What must be words is
# custom:
#   source: design.md 6
has_words if {
	words := [
		input.now,
		input.law.as_of,
		input.child.id,
		input.child.responsible_la,
		input.episode.id,
		input.episode.setting,
		input.item.id,
		input.recipient.id,
	]

	# Rego orders null, booleans, numbers, strings, arrays: from "" to before [] are words
	min(words) >= ""
	max(words) < []
}

# METADATA
# title: What must be a code is of its closed list
# description: One array is within another where all of its members are, in their order.
# custom:
#   source: design.md 6
has_codes if {
	object.subset(data.codes, {
		"controller": [input.law.controller],
		"request_kind": [input.request.kind],
		"identity_status": [input.child.identity_status],
		"legal_status": [input.child.legal_status],
		"competence": [input.child.competence],
		"category": [input.item.category],
		"subject": [input.item.subject],
		"provenance": [input.item.provenance],
		"recipient_type": [input.recipient.type],
		"yes_no_unassessed": [input.recipient.alleged_perpetrator],
		"agreement_status": [input.agreement.status],
		"agreement_by": [input.agreement.by],
		"alleged_perpetrator": [input.alleged_perpetrator],
		"strategy_decision": [input.strategy_decision],
	})
	input.recipient.connected_to_perpetrator in data.codes.yes_no_unassessed
}
