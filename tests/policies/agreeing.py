"""Do OPA's command and OPA's library answer alike? `python -m tests.policies.agreeing [COUNT]`.

The same bytes go to both, as they come (`--raw`): documents that fit, that do not, odd types,
unicode, numbers in odd clothes, a name that stands twice, deep nesting, and what is no JSON at all.
"""

import json
import os
import random
import sys
from collections.abc import Iterator

from homeward.engine.batch import CHUNK, decide_lines
from tests.policies.conftest import POLICIES
from tests.policies.documents import WRONG, a_random_document
from tests.policies.test_fail_closed import places

ODD_NUMBERS = (
    "-0.0",
    "0.0",
    "1e3",
    "1E+2",
    "15.0",
    "18.0",
    "17.999999999999999999",
    "1e400",
    "-1",
    "123456789012345678901234567890",
    "5.0",
    "4.9999999999999999999",
    "1e-7",
)
ODD_WORDS = (
    "\u0000",
    "\u2028",
    "é",
    "e\u0301",
    "𝔘",
    "\ufeff",
    "Ⅷ",
    "İ",
    "ﬀ",
    " push",
    "PUSH",
    "\ud83d",
)
NO_JSON = (b"", b"{", b"NaN", b'{"a": Infinity}', b"\xff\xfe", b"null null", b"'a'", b"[1,]")


def lines(count: int, seed: int) -> list[bytes]:
    """Return so many lines, the same for the same seed."""
    rng = random.Random(seed)
    return [next(_line(rng)) for _ in range(count)]


def _line(rng: random.Random) -> Iterator[bytes]:
    document = a_random_document(rng)
    how = rng.random()
    if how < 0.4:
        yield json.dumps(document).encode()
    if how > 0.98:
        yield rng.choice((*NO_JSON, b"[" * 500 + b"]" * 500, b"7", b'"x"', b"[]", b"null"))
    path = rng.choice(list(places(document)))
    holder = document
    for name in path[:-1]:
        holder = holder[name]
    if how < 0.55:
        holder[path[-1]] = rng.choice(WRONG)
    elif how < 0.7:
        holder[path[-1]] = rng.choice(ODD_WORDS)
    elif how < 0.9:
        holder[path[-1]] = "NUMBER"
        text = json.dumps(document).replace('"NUMBER"', rng.choice(ODD_NUMBERS))
        yield text.encode()
    elif how < 0.94:
        twice = json.dumps(rng.choice((*WRONG, holder[path[-1]])))
        holder["TWICE"] = 1
        yield (
            json.dumps(document).replace('"TWICE": 1', f"{json.dumps(path[-1])}: {twice}").encode()
        )
    else:
        holder[path[-1]] = json.loads("[" * 60 + "]" * 60)
    yield json.dumps(document).encode()


def answers(given: list[bytes], kind: str) -> list[bytes]:
    """Return what one engine answers to each line."""
    before = os.environ.get("HOMEWARD_OPA")
    os.environ["HOMEWARD_OPA"] = kind
    try:
        chunks = [given[at : at + CHUNK] for at in range(0, len(given), CHUNK)]
        return b"".join(decide_lines(chunks, POLICIES, raw=True)).splitlines()
    finally:
        if before is None:
            del os.environ["HOMEWARD_OPA"]
        else:
            os.environ["HOMEWARD_OPA"] = before


def differing(given: list[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    """Return the lines that the two answer differently, with both answers."""
    both = zip(given, answers(given, "command"), answers(given, "library"), strict=True)
    return [(line, one, other) for line, one, other in both if json.loads(one) != json.loads(other)]


def main() -> int:
    """Compare them, print what differs."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    found = differing(lines(count, seed=20_000))
    for line, one, other in found[:20]:
        print(line.decode(errors="replace"), one.decode(), other.decode(), sep="\n", end="\n\n")
    print(f"{count} inputs, {len(found)} answered differently")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
