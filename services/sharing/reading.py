"""The facts of one child out of the tables, in the form that decisions are made on."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.sharing.domain.facts import (
    GIVEN,
    ChildFacts,
    Facts,
    ItemFacts,
    Judged,
    Line,
    RecipientFacts,
)
from services.sharing.domain.words import coded
from services.sharing.tables import AgreementLine, Child, Episode, Item, Judgement, Recipient

_CHILD: Any = bindparam("child_id")
# made once: building such a statement takes longer than the database needs for it
_EPISODES = select(Episode).where(Episode.child_id == _CHILD)
_ITEMS = select(Item).where(Item.child_id == _CHILD).order_by(Item.id)
_RECIPIENTS = (
    select(Recipient).where(Recipient.child_id == _CHILD, Recipient.active).order_by(Recipient.key)
)
_LINES = select(AgreementLine).where(AgreementLine.child_id == _CHILD).order_by(AgreementLine.seq)
_JUDGEMENTS = select(Judgement).where(Judgement.child_id == _CHILD).order_by(Judgement.seq)


async def facts_of(session: AsyncSession, child: Child, controller: str) -> Facts | None:
    """Return everything a decision about `child` can read; None until `referral` was asked."""
    told = child_facts(child, controller)
    if told is None:
        return None
    whose = {"child_id": child.id}
    episodes = await session.scalars(_EPISODES, whose)
    items = await session.scalars(_ITEMS, whose)
    recipients = await session.scalars(_RECIPIENTS, whose)
    lines = await session.scalars(_LINES, whose)
    judgements = await session.scalars(_JUDGEMENTS, whose)
    return Facts(
        child=told,
        episodes={row.id: row.setting for row in episodes},
        items=tuple(item_facts(row) for row in items),
        recipients=tuple(recipient_facts(row) for row in recipients),
        lines=tuple(line(row) for row in lines),
        judgements=tuple(judged(row) for row in judgements),
    )


def child_facts(child: Child, controller: str) -> ChildFacts | None:
    """Return the child's own facts, or None while they are not known."""
    if child.version == 0 or child.next_birthday_at is None or child.adult_at is None:
        return None
    facts: Mapping[str, Any] = child.facts
    return ChildFacts(
        id=child.id,
        controller=controller,
        identity_status=facts.get("identity_status", "unverified"),
        legal_status=facts.get("legal_status", "home"),
        responsible_la=child.responsible_la or child.locality,
        host_la=child.host_la,
        address_confidential=facts.get("address_confidential", True),
        age=child.age or 0,
        next_birthday_at=child.next_birthday_at,
        adult_at=child.adult_at,
    )


def item_facts(row: Item) -> ItemFacts:
    """Return an item as decisions read it."""
    told: Mapping[str, Any] = row.facts
    return ItemFacts(
        id=row.id,
        version=row.version,
        episode_id=row.episode_id,
        interview_id=row.interview_id,
        category=row.category,
        subject=told.get("subject", "unknown"),
        provenance=told.get("provenance", "unknown"),
        verbatim=told.get("verbatim", False),
        third_parties=tuple(told.get("third_parties", ())),
        counselling=told.get("counselling", False),
        offence_data=told.get("offence_data", False),
        special=tuple(told.get("special", ())),
        facts=told.get("facts", {}),
        existed_at=row.existed_at,
    )


def recipient_facts(row: Recipient) -> RecipientFacts:
    """Return a recipient as decisions read it: by key, never by name."""
    return RecipientFacts(
        key=row.key,
        type=row.type,
        role=row.role,
        channel_verified=row.channel_verified,
        pr=row.pr,
        lives_with_child=row.lives_with_child,
        facts=row.facts,
        version=row.version,
    )


def line(row: AgreementLine) -> Line:
    """Return one line of what was said about sharing."""
    return Line(
        seq=row.seq,
        recipient=row.recipient,
        category=row.category,
        item_id=row.item_id,
        status=row.status,
        by=row.by,
        consequences_explained=row.consequences_explained,
        at=row.occurred_at,
    )


def judged(row: Judgement) -> Judged:
    """Return one judgement; its reason is a code, or only the fact that there is one."""
    return Judged(
        seq=row.seq,
        name=row.name,
        value=row.value,
        by=row.by,
        role=row.role,
        at=row.occurred_at,
        recorded_at=row.recorded_at,
        reason=_reason(row.name, row.reason),
        episode_id=row.episode_id,
        item_ids=_scope(row.item_ids),
        categories=_scope(row.categories),
        recipients=_scope(row.recipients),
    )


def _reason(name: str, reason: str | None) -> str | None:
    if not reason or not reason.strip():
        return None
    return coded(reason) if name == "child_told" else GIVEN


def _scope(codes: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if codes is None else tuple(codes)
