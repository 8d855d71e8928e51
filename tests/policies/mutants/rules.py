"""Mutants of the rules: one line of the Rego changed in one way.

The files are formatted by `opa fmt`, so that a rule, its branches and its conditions can be told
from how lines begin. A mutant that no engine loads is not counted: nobody could put it in force.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_HEAD = re.compile(r"^(?:default )?([a-z]\w*)")
_SWAPS = (
    (" == ", " != "), (" != ", " == "), (" >= ", " > "), (" > ", " >= "), (" < ", " <= "),
    (" <= ", " < "), ("max([", "min(["), ("min([", "max(["), ("min(given", "max(given"),
    ("max(given", "min(given"), ("max(hard", "min(hard"), (" := 2 if", " := 1 if"),
    (" := 2 if", " := 0 if"), (" := 0 if", " := 2 if"), (" := 1", " := 2"), (" := 1", " := 0"),
    ("== 2", "== 1"), ("== 1", "== 2"), ("== 0", "== 1"), ("2 - ", ""), ("< 2", "<= 2"),
    (">= 18", ">= 19"), (">= 18", ">= 17"), (">= 5", ">= 4"), (">= 5", ">= 6"),
    (':= "deny"', ':= "defer"'), (':= "deny"', ':= "none"'), (':= "defer"', ':= "none"'),
    (':= "none"', ':= "defer"'), ("true", "false"), ("false", "true"),
    ("g3", "g4"), ("g4", "g3"), ("g2", "g1"), ("g5", "g2"), ('"G2"', '"G1"'), ('"G3"', '"G2"'),
    ('"G6"', '"G3"'), ('"G8"', '"G7"'), ('"dpo"', '"dsl"'), ('"dsl"', '"dpo"'),
    ("dsl_and_ig", "dsl"), (".harm", ".usual"), (".usual", ".harm"),
)  # fmt: skip
_MEMBERS = re.compile(r"(?:in|[:=]) [{\[]((?:\"\w+\"(?:, )?){2,})[}\]]")


class RuleMutant(NamedTuple):
    """What was changed where, and the file as it then is."""

    name: str
    file: str
    text: str


def of_rules(sources: Mapping[str, str]) -> Iterator[RuleMutant]:
    """Yield every mutant of every file; two that are the same text only once."""
    for file, text in sorted(sources.items()):
        seen = {text}
        for name, other in _of_file(text.splitlines()):
            whole = "\n".join(other) + "\n"
            if whole not in seen:
                seen.add(whole)
                yield RuleMutant(f"{file} {name}", file, whole)


def _of_file(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    rule, of_rule = "", 0
    for place, line in enumerate(lines):
        if head := _HEAD.match(line):
            of_rule = 0 if head[1] != rule else of_rule
            rule = head[1]
        of_rule += 1
        if not line.strip() or line.lstrip().startswith(("#", "package", "import")):
            continue
        where = f"{rule} line {of_rule}"
        for what, changed in _of_line(line):
            yield f"{where}: {what}", [*lines[:place], changed, *lines[place + 1 :]]
        if line.startswith("} else"):
            end = next(n for n in range(place + 1, len(lines) + 1) if _closes(lines, n))
            if line.endswith("{"):
                cut = [*lines[:place], *lines[end:]]
                yield f"{where}: branch `{line[2:46].strip()}` lost", cut
        if _HEAD.match(line) and not line.startswith("default"):
            end = next((n for n in range(place, len(lines)) if lines[n] in ("}", "]", ")")), place)
            single = not line.rstrip().endswith(("{", "[", "("))
            more = sum(bool(re.match(rf"(?:default )?{rule}\b", one)) for one in lines) > 1
            if more and (single or lines[end] == "}"):
                cut = [*lines[:place], *lines[(place if single else end) + 1 :]]
                yield f"{where}: `{line[:40].strip()}` lost", cut


def _closes(lines: list[str], place: int) -> bool:
    return place >= len(lines) or lines[place].startswith("}")


def _of_line(line: str) -> Iterator[tuple[str, str]]:
    plain = line.strip()
    if re.match(r"^\t[a-z_1]", line) and not plain.startswith(("some ", "every ")):
        if not plain.endswith(("{", "[", "(", ",")):
            yield f"`{plain}` dropped", "\ttrue"
        if plain.startswith("not "):
            yield f"not removed from `{plain}`", "\t" + plain[4:]
        elif ":=" not in plain and not plain.endswith(("{", "[", "(", ",")):
            yield f"not added to `{plain}`", f"\tnot {plain}"
    for old, new in _SWAPS:
        for found in re.finditer(re.escape(old), line):
            changed = line[: found.start()] + new + line[found.end() :]
            yield f"`{plain[:60]}`: {old.strip()} became {new.strip() or 'nothing'}", changed
    for found in _MEMBERS.finditer(line):
        members = found[1].split(", ")
        for one in members:
            rest = ", ".join(m for m in members if m != one)
            yield f"`{plain[:60]}`: {one} taken out", line.replace(found[1], rest)
    if re.match(r'^\t+"?\w[\w."]*",$|^\t+input\.[\w.]+,$', line) or re.match(
        r'^\t+"\w+": \[input', line
    ):
        yield f"`{plain}` taken out", "\t"
