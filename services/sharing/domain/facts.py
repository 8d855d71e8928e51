"""The facts on which decisions about one child are made, and their form in a snapshot."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar, get_type_hints

GIVEN = "given"
"""Stands for each free text: that there are words is a fact, the words are not kept."""

SELF = "self"


@dataclass(frozen=True)
class ChildFacts:
    """The child, as `referral` last told, with the age that was full then."""

    id: str
    controller: str
    identity_status: str
    legal_status: str
    responsible_la: str
    host_la: str | None
    address_confidential: bool
    age: int
    next_birthday_at: datetime
    adult_at: datetime

    def age_at(self, now: datetime) -> int:
        """Return the full years at `now`; facts are read again at each birthday."""
        age = self.age + (1 if now >= self.next_birthday_at else 0)
        return max(age, 18) if self.adult(now) else age

    def adult(self, now: datetime) -> bool:
        """Tell whether the child is 18 or over at `now`."""
        return now >= self.adult_at


@dataclass(frozen=True)
class ItemFacts:
    """One item in its current version; `facts` are those of section 6 without words."""

    id: str
    version: int
    episode_id: str
    category: str
    subject: str
    provenance: str
    existed_at: datetime
    """When it was first recorded."""
    interview_id: str | None = None
    verbatim: bool = False
    third_parties: tuple[str, ...] = ()
    counselling: bool = False
    offence_data: bool = False
    special: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RecipientFacts:
    """Someone to whom items of this child are proposed."""

    key: str
    type: str
    role: str | None
    channel_verified: bool
    pr: bool = False
    lives_with_child: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True)
class Line:
    """One line of what was said about sharing; an empty scope is everything or everybody."""

    status: str
    by: str
    consequences_explained: bool
    at: datetime
    seq: int = 0
    recipient: str | None = None
    category: str | None = None
    item_id: str | None = None


@dataclass(frozen=True)
class Judged:
    """One recorded judgement with its scope; None in a scope is everything."""

    name: str
    value: Any
    by: str
    role: str
    at: datetime
    """When it was judged."""
    recorded_at: datetime
    """When it was written down: it is about what existed by then."""
    reason: str | None = None
    """A code, or `given`."""
    seq: int = 0
    episode_id: str | None = None
    item_ids: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None
    recipients: tuple[str, ...] | None = None

    def about(self, item: ItemFacts | None, recipient: str | None) -> bool:
        """Tell whether its scope holds this item and recipient; None is none in particular."""
        return (
            (self.episode_id is None or (item is not None and self.episode_id == item.episode_id))
            and (self.item_ids is None or (item is not None and item.id in self.item_ids))
            and (self.categories is None or (item is not None and item.category in self.categories))
            and (self.recipients is None or recipient in self.recipients)
        )


@dataclass(frozen=True)
class Facts:
    """Everything about one child that a decision can read."""

    child: ChildFacts
    episodes: Mapping[str, str]
    """Setting by episode."""
    items: tuple[ItemFacts, ...]
    recipients: tuple[RecipientFacts, ...]
    lines: tuple[Line, ...] = ()
    judgements: tuple[Judged, ...] = ()


def pairs(facts: Facts, carers: frozenset[str]) -> Iterator[tuple[ItemFacts, RecipientFacts]]:
    """Yield each item with each recipient to whom it is proposed.

    Nothing is proposed to a carer (a type in `carers`) before there is an agreement line for them.
    """
    asked = {line.recipient for line in facts.lines if line.recipient is not None}
    asked_all = any(line.recipient is None and line.status != "withdrawn" for line in facts.lines)
    for recipient in facts.recipients:
        if recipient.type in carers and not asked_all and recipient.key not in asked:
            continue
        for item in facts.items:
            yield item, recipient


def snapshot(facts: Facts) -> dict[str, Any]:
    """Return `facts` as plain JSON: codes, ids and times, from which they can be read back."""
    plain: dict[str, Any] = _plain(asdict(facts))
    return plain


def of_snapshot(plain: Mapping[str, Any]) -> Facts:
    """Return the facts of a snapshot, so that an old decision can be asked again."""
    return Facts(
        child=_read(ChildFacts, plain["child"]),
        episodes=dict(plain["episodes"]),
        items=tuple(_read(ItemFacts, one) for one in plain["items"]),
        recipients=tuple(_read(RecipientFacts, one) for one in plain["recipients"]),
        lines=tuple(_read(Line, one) for one in plain["lines"]),
        judgements=tuple(_read(Judged, one) for one in plain["judgements"]),
    )


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Mapping():
            return {key: _plain(inner) for key, inner in value.items() if inner is not None}
        case str() | int() | float() | None:
            return value
        case Sequence():
            return [_plain(inner) for inner in value]
    return value


T = TypeVar("T")


def _read(kind: type[T], plain: Mapping[str, Any]) -> T:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for one in fields(kind):  # type: ignore[arg-type]
        value = plain.get(one.name)
        hint = str(hints[one.name])
        if value is not None and hint == str(datetime):
            value = datetime.fromisoformat(value)
        elif value is not None and hint.startswith("tuple"):
            value = tuple(value)
        if value is not None or one.name in plain or "None" in hint:
            values[one.name] = value
    return kind(**values)
