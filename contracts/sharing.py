"""Events of `sharing`: what was decided about each item and recipient, what left, what waits."""

from typing import Literal

from pydantic import AwareDatetime

from contracts.event import Event


class ReleaseRefused(Event, subject="evt.sharing.release_refused.v1"):
    """Policy keeps the item in for this recipient. A later change of a fact proposes it afresh."""

    decision_id: str
    child_id: str
    item_id: str
    recipient: str
    rule_ids: tuple[str, ...]
    policy_version: str


class ReleaseHeld(Event, subject="evt.sharing.release_held.v1"):
    """No answer yet: a judgement is missing, or policy did not answer."""

    decision_id: str
    child_id: str
    item_id: str
    recipient: str
    rule_ids: tuple[str, ...]
    owner: str
    due_at: AwareDatetime


class ReleasePermitted(Event, subject="evt.sharing.release_permitted.v1"):
    """Policy lets the item out to this recipient, as the transforms say; recorded in the ledger."""

    release_id: str
    decision_id: str
    child_id: str
    item_id: str
    recipient: str
    rule_ids: tuple[str, ...]
    transforms: tuple[str, ...]
    policy_version: str


class ReleaseDelivered(Event, subject="evt.sharing.release_delivered.v1"):
    """A release is readable on the recipient's feed, or a worker told the recipient."""

    release_id: str
    child_id: str
    recipient: str
    how: str
    """`feed`, or how the worker told them, e.g. telephone."""
    number: int | None = None
    """Number on the partner's feed, without gaps; none where a worker told them."""


class UrgentHoldRaised(Event, subject="evt.sharing.urgent_hold_raised.v1"):
    """Something about harm waits for a judgement: page a person, once per child until they act."""

    page_id: str
    child_id: str
    locality: str
    to: Literal["dsl", "on_call"]
    code: Literal["urgent_hold", "child_not_told", "hold_overdue", "policy_lockdown"]
    due_at: AwareDatetime


class AgreementWithdrawn(Event, subject="evt.sharing.agreement_withdrawn.v1"):
    """A child took their agreement back; `epoch` tells which decisions no longer stand."""

    child_id: str
    recipients: tuple[str, ...]
    """Empty: all of them."""
    epoch: int
