"""What differs between two versions of the policies, told in words as far as words are known.

Nothing is left out: a file of data that is not understood, or of which the words say nothing, is
shown as it is written, line by line, and rules in Rego always are.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from contracts.policies import digest, is_loaded
from homeward.engine.plain import read_yaml
from homeward.governance.differ_data import TITLES, described, understood
from homeward.governance.differ_paths import same
from homeward.governance.differ_rows import rows_told
from homeward.governance.titles import described as rules_of

Files = Mapping[str, bytes]
Data = dict[str, Any]

TABLE = "table/"
"""The folder of the rows; their names are its data."""
_COMMENT = re.compile(r"(?:^|\s)#\s?(.*)$")


@dataclass(frozen=True)
class Section:
    """What differs in one row, one list, one file."""

    kind: str
    """`row`, `data`, `comment`, `plain`, `rego` or `beside` (not loaded: tests, schemas)."""
    title: str
    files: tuple[str, ...]
    lines: tuple[str, ...]
    """Sentences."""
    diff: str = ""
    """The lines as they are written; empty where the sentences say it all."""


@dataclass(frozen=True)
class Difference:
    """All that differs, from `before` to `after`."""

    before: str
    after: str
    """Digests."""
    before_version: str
    after_version: str
    sections: tuple[Section, ...]

    def as_json(self) -> Data:
        """Return it as data."""
        return {
            "kind": "diff", "policy": self.after, "version": self.after_version,
            "against": self.before, "against_version": self.before_version,
            "sections": [asdict(one) for one in self.sections],
        }  # fmt: skip

    def as_text(self) -> str:
        """Return it for a terminal."""
        head = (
            f"From {self.before_version} ({self.before[:12]}) "
            f"to {self.after_version} ({self.after[:12]})"
        )
        if not self.sections:
            return f"{head}\nNothing differs."
        lines = [head]
        for one in self.sections:
            lines += ["", one.title, *(f"  - {line}" for line in one.lines)]
            lines += [f"  {line}" for line in one.diff.splitlines()]
        return "\n".join(lines)


def difference(before: Files, after: Files) -> Difference:
    """Return what differs between the files of two versions, by path."""
    changed = sorted(p for p in {*before, *after} if before.get(p) != after.get(p))
    loaded = [path for path in changed if is_loaded(path)]
    data = [path for path in loaded if path.endswith(".yaml")]
    sections = [
        *_data(data, before, after),
        *(_rego(path, before, after) for path in loaded if path.endswith(".rego")),
        *(_beside(path, before, after) for path in changed if path not in loaded),
    ]  # fmt: skip
    return Difference(
        digest({p: c for p, c in before.items() if is_loaded(p)}),
        digest({p: c for p, c in after.items() if is_loaded(p)}),
        _label(before), _label(after), tuple(sections),
    )  # fmt: skip


def _data(paths: list[str], before: Files, after: Files) -> Iterator[Section]:
    """Tell rows and lists in words; show as it is written what the words do not reach."""
    old = {path: _read(before.get(path)) for path in paths}
    new = {path: _read(after.get(path)) for path in paths}
    words: dict[str, Data] = {
        "before": _lists(before, {}),
        "after": _lists(after, _lists(before, {})),
    }
    unread = {path for path in paths if old[path] is None or new[path] is None}
    table = [path for path in paths if path.startswith(TABLE) and path not in unread]
    rest = [path for path in paths if not path.startswith(TABLE) and path not in unread]
    told: dict[str, int] = dict.fromkeys(paths, 0)
    sections = [
        Section("row", title, files, lines)
        for title, files, lines in rows_told(
            {p: old[p] or {} for p in table}, {p: new[p] or {} for p in table}, words
        )
    ]
    for path in rest:
        sections += _lists_of(path, old[path] or {}, new[path] or {}, words)
    for one in sections:
        for path in one.files:
            told[path] += len(one.lines)
    yield from sections
    for path in paths:
        comments = _comments(path, before, after)
        if comments and path not in unread:
            yield Section("comment", f"{path}: comments", (path,), comments)
        if path in unread or not (told[path] or comments) or not _understood(path, old, new):
            why = (
                "This file is not understood; its lines as they are written:"
                if told[path] or path in unread or not _understood(path, old, new)
                else "The layout changed, not what it says; its lines as they are written:"
            )
            yield Section("plain", path, (path,), (why,), _plain(path, before, after))


def _lists_of(path: str, old: Data, new: Data, words: Mapping[str, Data]) -> Iterator[Section]:
    for key in dict.fromkeys([*old, *new]):
        if not same(old.get(key), new.get(key)) or (key in old) != (key in new):
            lines = tuple(described(key, old.get(key), new.get(key), words))
            if lines:
                yield Section("data", f"{TITLES.get(key, key)} ({path})", (path,), lines)


def _understood(path: str, old: Mapping[str, Data | None], new: Mapping[str, Data | None]) -> bool:
    """Tell whether words are known for every part of the file that differs."""
    if path.startswith(TABLE):
        return all(isinstance(r, dict) for one in (old, new) for r in (one[path] or {}).values())
    before, after = old[path] or {}, new[path] or {}
    differs = [k for k in {*before, *after} if not same(before.get(k), after.get(k))]
    return "/" not in path and all(understood(k, before.get(k), after.get(k)) for k in differs)


def _rego(path: str, before: Files, after: Files) -> Section:
    old, new = _text(before.get(path)), _text(after.get(path))
    titles = _titles_touched(old, new)
    lines = (f"Rules touched: {'; '.join(titles)}.",) if titles else ()
    if path not in before or path not in after:
        lines = (("This file is new." if path in after else "This file is gone."), *lines)
    return Section("rego", f"{path} (rules in Rego)", (path,), lines, _plain(path, before, after))


def _beside(path: str, before: Files, after: Files) -> Section:
    title = f"{path} (not loaded by the engine)"
    return Section("beside", title, (path,), (), _plain(path, before, after))


def _titles_touched(old: str, new: str) -> list[str]:
    """Return the titles of the rules in which a line differs."""
    matcher = difflib.SequenceMatcher(None, old.split("\n"), new.split("\n"), autojunk=False)
    changed = [op[1:] for op in matcher.get_opcodes() if op[0] != "equal"]
    titles: dict[str, None] = {}
    for text, spans in (
        (old, [(a, b) for a, b, _, _ in changed]), (new, [(c, d) for _, _, c, d in changed]),
    ):  # fmt: skip
        starts = [
            (text.count("\n", 0, at), str(about.get("title", name)))
            for name, at, about in rules_of(text)
        ]
        for first, last in spans:
            for place, (line, title) in enumerate(starts):
                ends = starts[place + 1][0] if place + 1 < len(starts) else text.count("\n") + 1
                if line < max(last, first + 1) and first < ends and first < last:
                    titles[title] = None
    return list(titles)


def _plain(path: str, before: Files, after: Files) -> str:
    """Return the lines that differ; what cannot be seen is written as an escape."""
    old, new = _text(before.get(path)), _text(after.get(path))
    lines = difflib.unified_diff(
        old.split("\n"), new.split("\n"), f"before/{path}", f"after/{path}", lineterm=""
    )
    seen = "\n".join(re.sub(r"[^\S \t\n]|[^\t\x20-\U0010ffff\n]", lambda m: ascii(m[0])[1:-1], line)
                     for line in lines)  # fmt: skip
    return seen or f"{path}: {'is new and empty' if path in after else 'was empty and is gone'}"


def _comments(path: str, before: Files, after: Files) -> tuple[str, ...]:
    """Tell which comments of a file of data differ."""

    def told(files: Files) -> list[str]:
        lines = _text(files.get(path)).split("\n")
        found = [m[1].strip() for line in lines if (m := _COMMENT.search(_unquoted(line)))]
        return [one for one in found if one]

    lines = difflib.ndiff(told(before), told(after))
    says = {"-": "No longer", "+": "Now"}
    return tuple(
        f"{says[line[0]]}: {line[2:]}" for line in lines if line[0] in says
    )  # fmt: skip


def _unquoted(line: str) -> str:
    return re.sub(r'"[^"]*"', '""', line)


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "backslashreplace")


def _read(content: bytes | None) -> Data | None:
    """Return what a file of data holds, nothing where there is none, None if unreadable."""
    if content is None:
        return {}
    try:
        return read_yaml(content)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None


def _lists(files: Files, otherwise: Data) -> Data:
    """Return the lists whose words sentences borrow: recipients and transforms."""
    whole = dict(otherwise)
    for name in ("recipients", "transforms"):
        whole |= _read(files.get(f"{name}.yaml")) or {}
    return whole


def _label(files: Files) -> str:
    return str((_read(files.get("codes.yaml")) or {}).get("policy_version", "no label"))
