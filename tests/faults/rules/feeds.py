"""What a partner reads: sealed, for it alone, numbered without a gap, the same on every reading."""

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from faults.rules.violation import Violation
from faults.seen import Read, Row, Seen

from contracts import feed

JWS_PARTS, JWE_PARTS = 3, 5


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        return b""


def _header(data: str) -> Row:
    try:
        found = json.loads(_decoded(data.split(".", maxsplit=1)[0]))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def sealed(seen: Seen) -> Iterator[Violation]:
    """Nobody but the partner can read a release: not on the way, and not in the envelope."""
    words = [word.encode() for word in seen.marked]
    for read in seen.reads:
        data = str(read.event.get("data", ""))
        parts = data.split(".")
        header = _header(data)
        wanted = {"alg": feed.WRAPPED_WITH, "enc": feed.ENCRYPTED_WITH}
        is_sealed = len(parts) == JWE_PARTS and wanted.items() <= header.items()
        in_clear = b"".join((read.raw, *(_decoded(part) for part in parts)))
        if (read.event.get("type") == feed.RELEASE and not is_sealed) or any(
            word in in_clear for word in words
        ):
            yield Violation.of("feed.clear", read.partner, _what(read))


def thin(seen: Seen) -> Iterator[Violation]:
    """An envelope holds ids, codes, times and numbers."""
    for read in seen.reads:
        told = {name: value for name, value in read.event.items() if name != "data"}
        if not read.event or not all(_is_code(value) for value in told.values()):
            yield Violation.of("feed.not_thin", read.partner, _what(read))


def _is_code(value: Any) -> bool:
    match value:
        case None | bool() | int():
            return True
        case str():
            return len(value) <= 600 and not any(c.isspace() for c in value)
        case dict():
            return all(_is_code(one) for one in value.values())
    return False


def _what(read: Read) -> str:
    return str(read.event.get("subject") or read.event.get("number") or read.seq)


def for_its_partner(seen: Seen) -> Iterator[Violation]:
    """A partner can open all that lies in its feed, and all of it was meant for it."""
    partners = {str(row["id"]): row["partner"] for row in seen.releases}
    for read in seen.reads:
        subject = _what(read)
        if read.opened is None:
            yield Violation.of("feed.unreadable", read.partner, subject)
            continue
        meant = {read.opened.get("aud", read.partner), partners.get(subject, read.partner)}
        if meant != {read.partner}:
            yield Violation.of("feed.wrong_partner", read.partner, subject)
        if read.opened.get("type") == feed.RELEASE and subject not in partners:
            yield Violation.of("release.unknown", subject)


def one_number_each(seen: Seen) -> Iterator[Violation]:
    """A number stands for one release, a release has one number, and its bytes never change."""
    subjects, numbers, bodies = defaultdict(set), defaultdict(set), defaultdict(set)
    for read in seen.reads:
        number, subject = read.event.get("number"), _what(read)
        if number is None:
            continue
        subjects[read.partner, number].add(subject)
        numbers[read.partner, subject].add(number)
        if read.event.get("type") == feed.RELEASE:
            bodies[read.partner, subject].add(read.raw)
    for (partner, number), found in subjects.items():
        if len(found) > 1:
            yield Violation.of("number.twice", partner, number, *sorted(found))
    for (partner, subject), several in numbers.items():
        if len(several) > 1:
            yield Violation.of("release.two_numbers", partner, subject)
    for (partner, subject), copies in bodies.items():
        if len(copies) > 1:
            yield Violation.of("release.other_bytes", partner, subject)
    for row in seen.releases:
        found = numbers.get((str(row["partner"]), str(row["id"])), set())
        if found and found != {row["number"]}:
            yield Violation.of("release.two_numbers", row["partner"], row["id"])


def no_gap(seen: Seen) -> Iterator[Violation]:
    """Numbers count up by one; what was taken back leaves a void in its place."""
    for partner in seen.drained:
        read = {r.event.get("number") for r in seen.reads if r.partner == partner} - {None}
        given = {row["number"] for row in seen.releases if row["partner"] == partner} - {None}
        for number in range(1, max(read | given, default=0) + 1):
            if number not in read:
                yield Violation.of("number.missing", partner, number)


def nothing_lost(seen: Seen) -> Iterator[Violation]:
    """What is said to be on a feed was read there.

    But for what a withdrawal named as left because it may have been read: that was erased.
    """
    read = {(r.partner, _what(r)) for r in seen.reads if r.event.get("type") == feed.RELEASE}
    named = {release_id for one in seen.withdrawals for release_id in one.left}
    for row in seen.releases:
        on_feed = row["state"] in {"sent", "delivered"} and row["id"] not in named
        if row["partner"] in seen.drained and on_feed:
            by_feed = row["how"] in {None, "feed"} and row["number"] is not None
            if by_feed and (row["partner"], row["id"]) not in read:
                yield Violation.of("release.lost", row["partner"], row["id"])


def told_once(seen: Seen) -> Iterator[Violation]:
    """No two releases tell a partner the same of one version of an item."""
    versions = {str(row["id"]): row["item_version"] for row in seen.releases}
    same = defaultdict(set)
    for read in seen.reads:
        if read.opened is None or read.opened.get("type") != feed.RELEASE:
            continue
        told = json.dumps([read.opened["item"], read.opened["transforms"]], sort_keys=True)
        same[read.partner, versions.get(_what(read)), told].add(_what(read))
    for (partner, _, _), ids in same.items():
        if len(ids) > 1:
            yield Violation.of("release.twice", partner, *sorted(ids))


def as_decided(seen: Seen) -> Iterator[Violation]:
    """What was read had been transformed as its decision says."""
    noted = {str(one["body"]["release_id"]): one["body"] for one in seen.entries("release")}
    for read in seen.reads:
        body = noted.get(_what(read))
        if body is None or read.opened is None or read.opened.get("type") != feed.RELEASE:
            continue
        if list(read.opened["transforms"]) != list(body["transforms"]):
            yield Violation.of("release.not_as_decided", _what(read))


RULES = (
    sealed,
    thin,
    for_its_partner,
    one_number_each,
    no_gap,
    nothing_lost,
    told_once,
    as_decided,
)
