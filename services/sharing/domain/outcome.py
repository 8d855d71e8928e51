"""The basic outcome of an episode: codes and dates that prove the offer, nothing that was said."""

from typing import Any

from contracts.scheduling import OutcomeReported

_ATTENDED = frozenset({"completed_engaged", "attended_not_engaged", "partial"})


def outcome_fields(event: OutcomeReported) -> dict[str, Any]:
    """Return the fields of the `basic_outcome` item."""
    fields: dict[str, Any] = {
        "offered_at": event.offered_at.isoformat(),
        "offered": event.outcome != "not_offered",
        "outcome": event.outcome,
        "attended": event.rhi_outcome in _ATTENDED,
        "completed": event.rhi_outcome in _ATTENDED,  # a talk was held, whatever came of it
    }
    if event.rhi_outcome is not None:
        fields["rhi_outcome"] = event.rhi_outcome
    if event.service_outcome is not None:
        fields["service_outcome"] = event.service_outcome
    return fields
