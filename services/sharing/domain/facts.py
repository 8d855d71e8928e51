"""The facts on which decisions about one child are made, and their form in a snapshot."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import datetime
from typing import Any, Generic, TypeVar, get_type_hints

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
    return {
        "child": _CHILD.plain(facts.child),
        "episodes": dict(facts.episodes),
        "items": [_ITEM.plain(one) for one in facts.items],
        "recipients": [_RECIPIENT.plain(one) for one in facts.recipients],
        "lines": [_LINE.plain(one) for one in facts.lines],
        "judgements": [_JUDGED.plain(one) for one in facts.judgements],
    }


def of_snapshot(plain: Mapping[str, Any]) -> Facts:
    """Return the facts of a snapshot, so that an old decision can be asked again."""
    return Facts(
        child=_CHILD.read(plain["child"]),
        episodes=dict(plain["episodes"]),
        items=tuple(map(_ITEM.read, plain["items"])),
        recipients=tuple(map(_RECIPIENT.read, plain["recipients"])),
        lines=tuple(map(_LINE.read, plain["lines"])),
        judgements=tuple(map(_JUDGED.read, plain["judgements"])),
    )


T = TypeVar("T")


class _Form(Generic[T]):
    """How one kind of fact is kept and read back; what it is made of is looked up once."""

    def __init__(self, kind: type[T]) -> None:
        hints = {name: str(hint) for name, hint in get_type_hints(kind).items()}
        self._kind = kind
        self._unsaid = {name: _unsaid(one) for name, one in _fields(kind).items()}
        self._moments = [name for name, hint in hints.items() if hint == str(datetime)]
        self._lists = [name for name, hint in hints.items() if hint.startswith("tuple")]

    def plain(self, one: T) -> dict[str, Any]:
        """Return the fact as JSON, without what is null: but a null inside a fact is one."""
        values = {name: value for name, value in vars(one).items() if value is not None}
        for name in self._moments:
            values[name] = values[name].isoformat()
        for name in self._lists:
            if name in values:
                values[name] = list(values[name])
        return values

    def read(self, plain: Mapping[str, Any]) -> T:
        """Return the fact; what is not said is null, as it was when it was kept."""
        values = {**self._unsaid, **plain}
        for name in self._moments:
            values[name] = datetime.fromisoformat(values[name])
        for name in self._lists:
            if values[name] is not None:
                values[name] = tuple(values[name])
        # half of the time of reading a history would go into setting frozen fields one by one
        read = object.__new__(self._kind)
        vars(read).update(values)
        return read


def _fields(kind: type) -> dict[str, Field[Any]]:
    return {one.name: one for one in fields(kind)}


def _unsaid(one: Field[Any]) -> Any:
    return None if one.default is MISSING else one.default


_CHILD = _Form(ChildFacts)
_ITEM = _Form(ItemFacts)
_RECIPIENT = _Form(RecipientFacts)
_LINE = _Form(Line)
_JUDGED = _Form(Judged)
