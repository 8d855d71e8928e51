"""The table as a matrix in words: recipients by categories, and what stands behind each cell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeward.engine import policy_digest
from homeward.engine.bundle import read_data
from homeward.governance import words
from homeward.governance.titles import titles_of

Data = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """One path in words."""

    whom: str
    """For whom of the row's recipients; empty where for all of them."""
    when: str
    """What must be true besides the child's agreement; empty where nothing."""
    gets: str
    needs: str
    """What opens it besides agreement, as a short mark for the matrix: `G2 and more`."""
    transforms: tuple[str, ...]
    """Short names of what is taken out, for the matrix; empty where it goes whole."""
    agreed: bool
    held: bool
    """True where it never opens by itself: whoever owns the hold decides."""


@dataclass(frozen=True)
class Text:
    """One text of a row: what applies from a day on."""

    valid_from: str
    ways: tuple[Way, ...]
    needs: str
    """What every path needs besides; empty where nothing."""
    basis: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """One row of the table."""

    id: str
    category: str
    recipients: tuple[str, ...]
    now: Text
    earlier: tuple[Text, ...]
    never: str
    why: str
    source: str
    owner: str
    not_for: tuple[str, ...]

    @property
    def agreed(self) -> tuple[Way, ...]:
        """The ways that the child's agreement opens."""
        return tuple(way for way in self.now.ways if way.agreed)

    @property
    def not_agreed(self) -> tuple[Way, ...]:
        """The ways that open without the child's agreement."""
        return tuple(way for way in self.now.ways if not way.agreed)


@dataclass(frozen=True)
class Group:
    """The rows of one group of recipients, in the order of their categories."""

    key: str
    title: str
    members: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """All of it."""

    version: str
    digest: str
    groups: tuple[Group, ...]
    categories: tuple[tuple[str, str], ...]
    """Code and words, in the order of the table."""
    everywhere: tuple[tuple[Way, str, str], ...]
    """A path that stands besides the cells, its why and its source."""
    gates: tuple[tuple[str, str, str], ...]
    """Gate, what it says, who judges it."""
    transforms: tuple[tuple[str, str], ...]
    rules: tuple[tuple[str, str, str], ...]
    """Hard denies, H1, sweep: id, title, the sentence for the child."""
    obligations: tuple[tuple[str, str], ...]
    bases: tuple[tuple[str, str], ...]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(len(group.cells) for group in self.groups)

    def counted(self) -> dict[str, int]:
        """Return how many rows there are of each kind."""
        cells = [cell for group in self.groups for cell in group.cells]
        return {
            "Rows that open with the child's agreement": sum(bool(cell.agreed) for cell in cells),
            "Rows that open without it": sum(bool(c.not_agreed) for c in cells),
            "Rows that never open": sum(not cell.now.ways for cell in cells),
            "Paths in all rows": sum(len(cell.now.ways) for cell in cells),
        }


def matrix(policies: Path) -> Matrix:
    """Return the table of `policies`. Raises BrokenPoliciesError."""
    data = read_data(policies)
    return Matrix(
        version=str(data["policy_version"]),
        digest=policy_digest(policies),
        groups=tuple(_groups(data)),
        categories=tuple((name, words.category(name)) for name in data["codes"]["category"]),
        everywhere=tuple(
            (_way(one, data), str(one["why"]), str(one["source"])) for one in data["everywhere"]
        ),
        gates=tuple(
            (name, str(about["title"]), words.listed(map(words.role, about["roles"])))
            for name, about in sorted(data["judging"].items())
            if name in words.GATE_NAMES
        ),
        transforms=tuple((name, str(one["says"])) for name, one in data["transforms"].items()),
        rules=tuple(_rules(data, titles_of(policies))),
        obligations=tuple(words.OBLIGATIONS.items()),
        bases=tuple(words.BASES.items()),
    )


def _groups(data: Data) -> Iterator[Group]:
    letters: dict[str, list[str]] = {}
    for name, one in data["recipients"].items():
        letters.setdefault(one["rows"], []).append(name)
    for key, members in letters.items():
        cells = [_cell(n, r, data) for n, r in data["table"].items() if n.split("-")[0] == key]
        titles = [words.recipient(one, data) for one in members]
        yield Group(
            key, words.listed([titles[0], *map(words.inside, titles[1:])]), tuple(titles),
            tuple(sorted(cells, key=lambda cell: cell.id)),
        )  # fmt: skip


def _cell(name: str, row: Data, data: Data) -> Cell:
    return Cell(
        id=name,
        category=str(row["category"]),
        recipients=tuple(words.recipient(one, data) for one in row["recipient"]),
        now=_text(row, data),
        earlier=tuple(_text(one, data) for one in row.get("earlier", ())),
        never=str(row["never"]),
        why=str(row["why"]),
        source=str(row["source"]),
        owner=words.OWNERS.get(row.get("owner", "dsl"), str(row.get("owner"))),
        not_for=tuple(words.category(one) for one in row.get("not_for", ())),
    )


def _text(text: Data, data: Data) -> Text:
    needs = text.get("every_path_needs", [])
    return Text(
        valid_from=str(text["valid_from"]),
        ways=tuple(_way(path, data, needs) for path in text["paths"]),
        needs=words.conditions(needs) if needs else "",
        basis=tuple(text["basis"]),
    )


def _way(path: Data, data: Data, every_path_needs: Sequence[Any] = ()) -> Way:
    besides = [o for o in path["when"] if o not in ("agreed", "always", "a_person_decides")]
    by_voice = "; by voice to a known number while the channel is not verified"
    return Way(
        whom=words.listed((words.recipient(one, data) for one in path.get("for", ())), "or"),
        when=words.conditions(besides) if besides else "",
        gets=words.transforms(path["transforms"], data)
        + (by_voice if path.get("by_voice") else ""),
        needs=_needs([*besides, *every_path_needs]),
        transforms=tuple(words.spaced(one) for one in path["transforms"]),
        agreed="agreed" in path["when"],
        held="a_person_decides" in path["when"],
    )


def _needs(conditions: Sequence[Any]) -> str:
    """Return what opens a path as a short mark: `G2 or G5 and more`; empty where nothing."""
    marks = [mark for one in conditions if (mark := _gate_mark(one))]
    if len(marks) < len(conditions):
        marks.append("more" if marks else "if more")
    return " and ".join(marks)


def _gate_mark(condition: Any) -> str:
    if isinstance(condition, str):
        return condition if condition in words.GATE_NAMES else ""
    ((name, inner),) = condition.items()
    if name == "not" and isinstance(inner, str) and inner in words.GATE_NAMES:
        return f"no {inner}"
    parts = inner if name == "any" else []
    gates = [one for one in parts if isinstance(one, str) and one in words.GATE_NAMES]
    return " or ".join([*gates, *(["more"] if len(gates) < len(parts) else [])] if gates else [])


def _rules(data: Data, titles: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The rules that stand before the rows, by their METADATA and the sentences for the child."""
    for name, says in data["reasons"].items():
        if isinstance(says, str) and name.isupper():
            title = words.NAMED_RULES.get(name, titles.get(name.lower(), "").removeprefix(name))
            yield name, title.strip(), says
