"""Show that whatif is exact: `python -m homeward.governance.replay_plain DRAFT HOME [COUNT]`.

Decides so many recorded decisions (50,000) a second time, one by one: the whole document of each,
built by `document()` alone, nothing left out, nothing looked up. Exit code 1 where one differs.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from homeward.engine.batch import CHUNK, decide_lines
from homeward.governance import history
from homeward.governance.drafts import opened
from homeward.governance.history import ChildHistory, Recorded, Span
from homeward.governance.replay_answers import Answers
from homeward.home import Home
from messaging.ids import Ids
from services.sharing.domain.document import document
from services.sharing.domain.facts import Facts, of_snapshot
from services.sharing.policy_data import PolicyData, load

COUNT = 50_000


def main(draft: str, home: Home, count: int = COUNT) -> int:
    """Compare; return how many differ."""
    ids = Ids.of(home.keys_dir / "ids.key")
    with opened(draft) as folder, history.opened(home.database_url("sharing")) as found:
        data = load(folder)
        names = [name for name, _ in found.children(Span())]
        every = (pair for child in found.of(names, Span()) for pair in _plain(child, data, ids))
        documents = list(islice(every, count))
        lines = [json.dumps(one, ensure_ascii=False).encode() for one in documents]
        chunks = [lines[start : start + CHUNK] for start in range(0, len(lines), CHUNK)]
        plainly = b"".join(decide_lines(chunks, folder, raw=True)).splitlines()
        answers = Answers(folder)
        try:
            quickly = answers.of(documents)
        finally:
            answers.close()
    different: int = sum(json.loads(one) != two for one, two in zip(plainly, quickly, strict=True))
    sys.stdout.write(
        f"{len(documents):,} decisions, {answers.known:,} distinct questions, "
        f"{different:,} answers differ from deciding each plainly\n"
    )
    return different


def _plain(child: ChildHistory, data: PolicyData, ids: Ids) -> Iterator[Mapping[str, Any]]:
    facts = {epoch: of_snapshot(json.loads(text)) for epoch, text in child.snapshots.items()}
    for one in child.decisions:
        yield _document(facts[one.snapshot_epoch], one, data, ids)


def _document(facts: Facts, one: Recorded, data: PolicyData, ids: Ids) -> Mapping[str, Any]:
    item = next(each for each in facts.items if each.id == one.item_id)
    recipient = next(each for each in facts.recipients if each.key == one.recipient)
    key = ""
    if recipient.type == "commissioner":
        key = ids.after("PS", recipient.key, item.episode_id)
    kind = data.types[recipient.type]
    return document(facts, item, recipient, kind, data.law, one.decided_at, key)


if __name__ == "__main__":
    _, what, where, *rest = sys.argv
    raise SystemExit(1 if main(what, Home(Path(where)), *map(int, rest)) else 0)
