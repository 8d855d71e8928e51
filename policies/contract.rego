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
	given := {
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
	}
	given - {true, false} == set()
}

# METADATA
# title: What must be words is
# custom:
#   source: design.md 6
has_words if {
	is_string(input.now)
	is_string(input.law.as_of)
	is_string(input.child.id)
	is_string(input.child.responsible_la)
	is_string(input.episode.id)
	is_string(input.episode.setting)
	is_string(input.item.id)
	is_string(input.recipient.id)
}

# METADATA
# title: What must be a code is of its closed list
# custom:
#   source: design.md 6
has_codes if {
	input.law.controller in data.codes.controller
	input.request.kind in data.codes.request_kind
	input.child.identity_status in data.codes.identity_status
	input.child.legal_status in data.codes.legal_status
	input.child.competence in data.codes.competence
	input.item.category in data.codes.category
	input.item.subject in data.codes.subject
	input.item.provenance in data.codes.provenance
	input.recipient.type in data.codes.recipient_type
	input.recipient.alleged_perpetrator in data.codes.yes_no_unassessed
	input.recipient.connected_to_perpetrator in data.codes.yes_no_unassessed
	input.agreement.status in data.codes.agreement_status
	input.agreement.by in data.codes.agreement_by
	input.alleged_perpetrator in data.codes.alleged_perpetrator
	input.strategy_decision in data.codes.strategy_decision
}
