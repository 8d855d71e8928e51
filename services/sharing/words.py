"""The words of releases: of each item the parts that may pass, asked of `interview` once permitted.

All items of a child in one request: there each is read under a record of access of its own, and one
commit for all takes the place of a queue of commits.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from messaging.app import App
from messaging.edge import NotFoundThereError, RefusedThereError
from messaging.errors import AwayError
from messaging.telemetry import get_logger
from services.sharing.domain.answer import without_content
from services.sharing.domain.facts import ItemFacts
from services.sharing.domain.payload import content, permitted_parts, with_counts
from services.sharing.proposal import Pair, Proposal

log = get_logger()

_ITEMS_MAX = 16
"""Of so many `interview` gives the words in one answer."""

Several = Sequence[tuple[Pair, Sequence[str]]]
"""Pairs of one item that are to be released, each with its transforms."""


async def fill(app: App, proposal: Proposal) -> None:
    """Put what may pass into each pair that is released now and does not have it yet.

    A pair whose item's words are not to be had is as if policy had not been asked.
    """
    by_item: dict[str, list[tuple[Pair, Sequence[str]]]] = {}
    for pair in proposal.pairs:
        if pair.content is None and (names := pair.transforms) is not None:
            by_item.setdefault(pair.item.id, []).append((pair, names))
    given = await _given(app, proposal, by_item)
    for item_id, several in by_item.items():
        parts = given.get(item_id)
        for pair, names in several:
            if parts is None:
                pair.answer, pair.decided = None, False
            else:
                _put(proposal, pair, names, parts)


def _put(proposal: Proposal, pair: Pair, names: Sequence[str], parts: Mapping[str, Any]) -> None:
    known, whole = proposal.policy.data.transforms, proposal.policy.data.whole
    counts = pair.document["item"]["facts"].get("cell_counts")
    told = with_counts(parts, counts, names, known)
    pair.content = content(pair.item, told, pair.recipient.type, names, known=known, whole=whole)
    if pair.content is None and pair.answer is not None:
        pair.answer = without_content(pair.answer)


async def _given(
    app: App, proposal: Proposal, by_item: Mapping[str, Several]
) -> dict[str, Mapping[str, Any]]:
    """Return by item the parts that are to be had; our own items are asked of nobody."""
    known, whole = proposal.policy.data.transforms, proposal.policy.data.whole
    given: dict[str, Mapping[str, Any]] = {}
    asked: list[tuple[ItemFacts, list[str]]] = []
    for item_id, several in by_item.items():
        wanted = frozenset[str]().union(
            *(permitted_parts(names, known, whole) for _, names in several)
        )
        if item_id in proposal.own:
            given[item_id] = {"fields": proposal.own[item_id]}
        elif not wanted:
            given[item_id] = {}
        else:
            asked.append((several[0][0].item, sorted(wanted)))
    some = [asked[at : at + _ITEMS_MAX] for at in range(0, len(asked), _ITEMS_MAX)]
    for answer in await asyncio.gather(*(_ask(app, few) for few in some)):
        given |= answer
    return given


async def _ask(
    app: App, items: Sequence[tuple[ItemFacts, list[str]]]
) -> dict[str, Mapping[str, Any]]:
    """Ask for several items at once; an `interview` of before this request is asked one by one."""
    if len(items) == 1:
        return await _ask_one(app, *items[0])
    body = [{"item_id": item.id, "version": item.version, "parts": parts} for item, parts in items]
    try:
        answer = await app.edges["interview"].post("/items/fields", {"items": body})
    except NotFoundThereError:
        found: dict[str, Mapping[str, Any]] = {}
        for one in await asyncio.gather(*(_ask_one(app, *one) for one in items)):
            found |= one
        return found
    except (AwayError, RefusedThereError) as error:
        log.info("reconsider.no_words", name=type(error).__name__)
        return {}
    told: dict[str, Mapping[str, Any]] = {
        str(one["item_id"]): dict(one["parts"]) for one in answer["items"]
    }
    if len(told) < len(items):
        log.info("reconsider.no_words", name=NotFoundThereError.__name__)
    return told


async def _ask_one(app: App, item: ItemFacts, parts: list[str]) -> dict[str, Mapping[str, Any]]:
    asked = {"version": item.version, "parts": parts}
    try:
        answer = await app.edges["interview"].post(f"/items/{item.id}/fields", asked)
    except (AwayError, NotFoundThereError, RefusedThereError) as error:
        log.info("reconsider.no_words", name=type(error).__name__)
        return {}
    return {item.id: dict(answer["parts"])}
