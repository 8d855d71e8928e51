"""Nothing that can hurt a child lies on the bus or in the ledger: events are ids, codes, times."""

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from faults.rules.feeds import _is_code
from faults.rules.violation import Violation
from faults.seen import Seen

from contracts.event import Event


@cache
def _known() -> dict[str, frozenset[str]]:
    """Return the fields of each event by its subject."""
    from contracts import interview, notify, referral, scheduling, sharing  # noqa: F401

    return {one.subject: frozenset(one.model_fields) for one in Event.__subclasses__()}


def thin(seen: Seen) -> Iterator[Violation]:
    """An event holds the fields of its contract, and no value in it is a sentence."""
    for told in seen.told:
        fields = _known().get(told.subject)
        if fields is None:
            continue
        try:
            body = json.loads(told.raw)
        except (ValueError, RecursionError):
            continue  # poison; what becomes of it is judged elsewhere
        if not isinstance(body, dict) or str(body.get("id")) in seen.poison:
            continue
        values = [
            v for value in body.values() for v in (value if isinstance(value, list) else [value])
        ]
        if not fields >= body.keys() or not all(_is_code(value) for value in values):
            yield Violation.of("bus.not_thin", told.subject, body.get("id"))


def no_marked_word(seen: Seen) -> Iterator[Violation]:
    """The words that were put in come out on a partner's screen and nowhere else."""
    words = [word.encode() for word in seen.marked]
    for told in seen.told:
        if any(word in told.raw for word in words):
            yield Violation.of("bus.clear", told.subject)
    if any(word in (seen.ledger or b"") for word in words):
        yield Violation.of("ledger.clear")


def told_once(seen: Seen) -> Iterator[Violation]:
    """One fact is one event: the same told under another id is a second effect of one cause."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for told in seen.told:
        if told.subject in _known():
            try:
                body = dict(json.loads(told.raw))
            except (ValueError, TypeError, RecursionError):
                continue
            fact = {n: v for n, v in body.items() if n not in {"id", "version"}}
            ids[told.subject, json.dumps(fact, sort_keys=True)].add(str(body.get("id")))
    for (subject, _), several in ids.items():
        if len(several - seen.poison) > 1:
            yield Violation.of("fact.told_twice", subject, *sorted(several))


RULES = (thin, no_marked_word, told_once)
