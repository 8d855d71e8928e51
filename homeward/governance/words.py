"""The rules in words: gates, conditions, transforms, recipients, what a child may say."""

from collections.abc import Iterable, Sequence
from typing import Any

from homeward.engine.rows import GATES

Data = dict[str, Any]

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
    "LO": "legal obligation (section 16LA)",
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

_IS = {
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
_IS_NOT = {
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
_CODED = {
    "place_type": "the place is {codes}",
    "person_age_band": "the person is {codes}",
    "reliability": "it is graded {codes} for reliability",
    "wish_scope": "the wish is {codes}",
    "police_purpose": "police need it for {codes}",
    "urgency": "it is needed {codes}",
}
_CODES = {
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
_LIMITED = {
    "distinct_children": "{limit} {number} different children were there",
    "distance_to_school_m": "it is {limit} {number} m from school",
}
_LIMITS = {"at_most": "at most", "at_least": "at least"}


def spaced(name: str) -> str:
    """Return a code as words, where no better ones are known."""
    return name.replace("_", " ").replace(".", ": ")


def listed(words: Iterable[str], last: str = "and") -> str:
    """Return `a, b and c`."""
    told = list(words)
    if len(told) < 2:
        return "".join(told)
    return f"{', '.join(told[:-1])} {last} {told[-1]}"


def gate(name: str) -> str:
    """Return a gate with its name: `G2 (risk of harm)`."""
    return f"{name} ({GATE_NAMES[name]})" if name in GATE_NAMES else name


def category(name: str) -> str:
    """Return what an item is about, as it stands in a sentence."""
    return CATEGORIES.get(name, spaced(name))


def condition(one: Any) -> str:
    """Return a condition of the table as a phrase, e.g. `the wish is not a private one`.

    A form that is not known comes back as it is written, so that nothing is left out.
    """
    if isinstance(one, str):
        return gate(one) if one in GATES else _IS.get(one, spaced(one))
    return _of_one(*next(iter(one.items()))) if _is_single(one) else repr(one)


def _is_single(one: Any) -> bool:
    return isinstance(one, dict) and len(one) == 1


def _of_one(name: str, wanted: Any) -> str:
    if name == "any" and isinstance(wanted, list):
        return "either " + " or ".join(condition(part) for part in wanted)
    if name == "not":
        return _negated(wanted)
    if isinstance(wanted, list):
        return _CODED.get(name, spaced(name) + " is {codes}").format(codes=_codes(name, wanted))
    if _is_single(wanted):
        ((limit, number),) = wanted.items()
        return _LIMITED.get(name, spaced(name) + " is {limit} {number}").format(
            limit=_LIMITS.get(limit, spaced(limit)), number=number
        )
    return repr({name: wanted})


def _negated(one: Any) -> str:
    if isinstance(one, str):
        return _IS_NOT.get(
            one, f"not {condition(one)}" if one in GATES else f"it is not so that {condition(one)}"
        )
    if _is_single(one):
        ((name, wanted),) = one.items()
        if isinstance(wanted, list) and name in _IS_NOT:
            return _IS_NOT[name].format(codes=_codes(name, wanted))
    return f"it is not so that {condition(one)}"


def _codes(name: str, wanted: Sequence[Any]) -> str:
    if name == "reliability" and list(wanted) == ["A", "B", "C", "D", "E"]:
        return "A to E"
    return listed((_CODES.get(str(one), spaced(str(one))) for one in wanted), "or")


def conditions(many: Sequence[Any]) -> str:
    """Return several conditions that must all be true as one phrase."""
    return listed(condition(one) for one in many if one != "always") or "always"


def transforms(names: Sequence[str], data: Data) -> str:
    """Return what passes, in the words of transforms.yaml."""
    if not names:
        return "the whole of it"
    return "; ".join(transform(one, data) for one in names)


def transform(name: str, data: Data) -> str:
    """Return one transform as a phrase."""
    about = (data.get("transforms") or {}).get(name)
    says = about.get("says") if isinstance(about, dict) else None
    if not isinstance(says, str) or not says:
        return spaced(name)
    return says[0].lower() + says[1:].rstrip(".")


def role(name: str) -> str:
    """Return who judges, by role."""
    return ROLES.get(name, spaced(name))


def recipient(name: str, data: Data) -> str:
    """Return a recipient by its type, or a seat by its role."""
    about = (data.get("recipients") or {}).get(name)
    if isinstance(about, dict) and isinstance(about.get("title"), str):
        return str(about["title"])
    return {"responsible_la": "Responsible authority", "host_la": "Host authority"}.get(
        name, spaced(name)
    )


def inside(title: str) -> str:
    """Return a title as it stands within a sentence."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def sentence(text: str) -> str:
    """Return a phrase as a sentence."""
    told = text[:1].upper() + text[1:]
    return told if told.endswith((".", "?", "!")) else told + "."
