"""The words for codes: kept apart from how they are put together."""

CATEGORIES = {
    "basic_outcome": "that a talk was offered, and how it ended",
    "narrative": "what happened",
    "push_pull": "what pushes away and what pulls",
    "whereabouts": "where the child was",
    "associates": "who the child was with",
    "harm": "harm",
    "health": "health",
    "contact_address": "the address",
    "safety_plan": "the safety plan",
    "wishes": "the child's wishes",
    "aggregates": "numbers",
    "any": "everything",
}
"""What an item is about, in words that fit into a sentence."""

BASES = {
    "PT": "public task",
    "LO": "legal obligation, section 16LA",
    "RL": "recognised legitimate interest (a charity)",
    "VI": "vital interests",
    "CR": "crime",
    "ST": "statistics, nobody recognisable",
}

OWNERS = {
    "dsl": "the safeguarding lead (DSL)",
    "dsl_and_ig": "the safeguarding lead and the information-governance lead",
    "dpo": "the data protection officer",
    "dpo_and_dsl": "the data protection officer and the safeguarding lead",
}

THINGS = {
    "basic_outcome": "the basic outcome",
    "narrative": "the account of what happened",
    "push_pull": "push and pull factors",
    "whereabouts": "places",
    "associates": "details of those the child was with",
    "harm": "what was told of harm",
    "health": "health matters",
    "contact_address": "the address",
    "safety_plan": "the safety plan",
    "wishes": "the child's wishes",
    "aggregates": "numbers",
    "any": "any item",
}
"""What somebody receives, by category."""

OBLIGATIONS = {
    "log_reason_share_or_not": "write down the reason, whether it is shared or not",
    "recipient_ack": "the recipient acknowledges that it came",
    "recall_ready": "it can be called back",
    "tell_child_first": "tell the child first",
    "same_day": "it goes the same day",
    "log_within_1h": "write it down within one hour",
    "dsl_signoff": "the safeguarding lead signs it off",
    "label_provenance": "say of each part who said it",
}

GATE_NAMES = {
    "G1": "welfare, the duty of section 16LA",
    "G2": "risk of harm",
    "G3": "significant harm",
    "G4": "immediate danger",
    "G5": "serious crime or protection of others",
    "G6": "sexual abuse told",
    "G7": "court order or statutory power",
    "G8": "a valid victim information request",
}

NAMED_RULES = {
    "REQ": "Asked for by somebody for whom no law of requests is written",
    "LOCKDOWN": "Everything is stopped but what immediate danger opens",
    "SWEEP": "A duty or a risk that the table does not foresee goes to a person",
    "INCOMPLETE": "The question itself is not complete",
}
"""Rules that decide and are written under another name."""

ROLES = {
    "worker": "the worker on the case",
    "dsl": "the safeguarding lead (DSL)",
    "dpo": "the data protection officer",
    "manager": "the manager",
}

IS = {
    "agreed": "the child agreed",
    "always": "always",
    "objects": "a competent child objects",
    "competent": "the child is competent",
    "counts": "there are counts, none of one to four, from which nobody can be recognised",
    "pr": "the recipient has parental responsibility",
    "professional_carer": "the recipient is a professional carer",
    "approved": "the DPO and the DSL both approved",
    "la_has_decided": "the authority has decided who tells the carer",
    "a_person_decides": "a person decides",
    "purpose_locate_child": "it is to find the child",
    "place_in_host_area": "the place is in the host authority's area",
    "instrument": "an order or a statute is named",
    "vir.line_of_enquiry": "the request says in which line of enquiry",
    "vir.necessity": "the request says why it is necessary",
    "vir.notice": "the request says what the victim is told",
    "vir.counselling_test": "the stricter test for counselling notes was made",
    "vir.senior_approval": "a senior officer approved that test",
    "more_detrimental": "telling would hurt the child more than not telling",
    "safety_critical": "it is critical for safety",
    "la_lead": "the authority leads what is told",
    "factor_about_carer": "it is about the carer's own conduct",
    "school_related": "it is about school",
    "panel_membership": "the child is before the panel",
    "open_case": "the service has an open case",
    "clinically_relevant": "it is clinically relevant",
    "dsl_signoff": "the DSL signed it off",
    "other_child_at_risk": "another child is at risk",
    "panel_has_police_la": "police and the authority sit on the panel",
    "police_no_objection": "police do not object",
    "la_agrees": "the authority agrees",
    "on_site_risk": "there is a risk on the school's site",
    "tracing_or_safety": "tracing an infection or safety needs it",
    "consensual_peer": "it was between peers who both wanted it",
    "local_area_of_harm": "the harm or the risk is in the host authority's area",
    "suspect_clinical": "who did it matters for treatment",
    "telling_raises_risk": "telling the child first would raise the risk",
    "open_missing": "the child is missing now",
    "sexual_health": "it is about sexual health",
    "self_harm_plan": "there is a plan for self-harm",
    "safety_need": "safety needs it",
    "quote_deidentified": "nobody can be recognised from the quotation",
    "published": "the figures are published",
    "inferable": "a small count can be worked out from others",
    "would_prejudice_action": "it would spoil action against harm",
    "necessity_reason": "it is written why it is necessary",
    "summary_text": "there is a summary",
    "care_need": "it is written what care needs it for",
    "qa_dpia_ref": "a sample for quality is approved (DPIA)",
    "pseudonym_key": "there is a key that stands for the child",
    "extract_ids": "the extracts are chosen",
    "plan_actions_for_police": "the plan has actions for police",
    "plan_actions_for_carer": "the plan has actions for the carer",
    "plan_actions_for_school": "the plan has actions for school",
}
IS_NOT = {
    "agreed": "the child did not agree",
    "objects": "no competent child objects",
    "competent": "the child is not competent",
    "more_detrimental": "telling would not hurt the child more than not telling",
    "factor_about_carer": "it is not about the carer's own conduct",
    "sexual_health": "it is not about sexual health",
    "consensual_peer": "it was not between peers who both wanted it",
    "would_prejudice_action": "it would not spoil action against harm",
    "place_type": "the place is not {codes}",
    "wish_scope": "the wish is not {codes}",
}
CODED = {
    "place_type": "the place is {codes}",
    "person_age_band": "the person is {codes}",
    "reliability": "it is graded {codes} for reliability",
    "wish_scope": "the wish is {codes}",
    "police_purpose": "police need it for {codes}",
    "urgency": "it is needed {codes}",
}
CODES = {
    "third_party_home": "another family's home",
    "own_home": "the child's own home",
    "public_place": "a public place",
    "business": "a business",
    "school": "a school",
    "transport": "on transport",
    "online": "online",
    "adult": "an adult",
    "under_18": "under 18",
    "approach": "about how to be approached",
    "placement": "about where to live",
    "for_carer": "for the carer to hear",
    "general": "a general one",
    "private": "a private one",
    "trigger_plan": "the trigger plan",
    "other": "something else",
    "routine": "as a matter of routine",
}
LIMITED = {
    "distinct_children": "{limit} {number} different children were there",
    "distance_to_school_m": "it is {limit} {number} m from school",
}
LIMITS = {"at_most": "at most", "at_least": "at least"}
MEASURED = {
    "distinct_children": "{} different children had been there",
    "distance_to_school_m": "it had been {} m from school",
}
"""A number in a change that is thought of."""
