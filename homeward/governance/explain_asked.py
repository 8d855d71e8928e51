"""What the engine says of a document besides its decision: every step on the way there.

Each condition is judged by the very text by which the rows judge it, in the same engine: nothing
here knows what a condition means.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from homeward.engine import NoAnswerError, build_bundle, find_engine
from homeward.engine.found import query
from homeward.engine.rows import judging, paths_of

Data = dict[str, Any]

PACKAGE = "homeward_explain"
_STEPS = ("decision", "row_id", "opened", "cell", "worth", "hard_denies", "h1", "asked_for",
          "sweep", "recorded", "agreement", "unlocked", "provisional")  # fmt: skip
TRUE, UNKNOWN, FALSE = 2, 1, 0


class Asked:
    """One version of the policies, asked about documents. Every answer is the engine's."""

    def __init__(self, bundle: Path) -> None:
        self.data: Data = json.loads((bundle / "data.json").read_bytes())
        self._bundle = bundle
        self._engine = find_engine()
        self.count = 0
        """How many documents were put to the engine."""
        (bundle / f"{PACKAGE}.rego").write_text(_steps(), encoding="utf-8")

    def steps(self, documents: Sequence[Data]) -> list[Data]:
        """Return every step of the way to the decision on each document, in order.

        Raises NoAnswerError.
        """
        if not documents:
            return []
        self.count += len(documents)
        told = query(self._engine, f"data.{PACKAGE}.all", list(documents), self._bundle)
        if not isinstance(told, list) or len(told) != len(documents):
            raise NoAnswerError("the engine did not answer for each document")
        return [{name: some[0] for name, some in one.items() if some} for one in told]

    def row(self, steps: Data) -> "Row":
        """Return the row that decided, ready to have its conditions judged."""
        row, cell = str(steps.get("row_id")), steps.get("cell") or {}
        paths: list[tuple[Data, list[Any]]] = []
        if row in self.data["table"] and "text" in cell:
            paths = paths_of(self.data, row, self._text(row, int(cell["text"])), cell["seat"])
        return Row(self, paths)

    def value(self, path: str, given: Any) -> Any:
        """Return what the engine says at `path`. Raises NoAnswerError."""
        return query(self._engine, f"data.{path}", given, self._bundle)

    def add(self, name: str, rego: str) -> None:
        """Put a module of ours beside the policies."""
        (self._bundle / f"{name}.rego").write_text(rego, encoding="utf-8")

    def _text(self, row: str, number: int) -> Data:
        texts = [self.data["table"][row]]
        earlier = texts[0].get("earlier", ())
        texts += sorted(earlier, key=lambda one: str(one["valid_from"]), reverse=True)
        return texts[number] if number < len(texts) else {"paths": []}


class Row:
    """The paths that a row has for one recipient, whose conditions the engine judges."""

    def __init__(self, asked: Asked, paths: Sequence[tuple[Data, list[Any]]]) -> None:
        self._asked = asked
        self.paths = [path for path, _ in paths]
        self._conditions = [[_with_parts(one) for one in needs] for _, needs in paths]
        rego = _list(
            _list(_list(judging(one, asked.data) for one in parts) for parts in path)
            for path in self._conditions
        )
        asked.add(
            f"{PACKAGE}_row",
            f"package {PACKAGE}_row\n\nworth := {rego}\n\n"
            "all := [told |\n\tsome one in input\n"
            "\ttold := [value | value := worth with input as one]\n]\n",
        )

    def judged(self, documents: Sequence[Data]) -> list[list[list[Data]]]:
        """Return for each document, path and condition what the engine says of it.

        A condition is `{"condition", "worth", "parts"}`; `parts` those of an `any`. A document that
        breaks a condition has none.
        """
        if not documents or not self.paths:
            return [[] for _ in documents]
        self._asked.count += len(documents)
        return [
            [
                [_judged(parts, worth) for parts, worth in zip(path, of_path, strict=True)]
                for path, of_path in zip(self._conditions, told[0] if told else (), strict=False)
            ]
            for told in self._asked.value(f"{PACKAGE}_row.all", list(documents))
        ]


def _judged(parts: Sequence[Any], worth: Sequence[int]) -> Data:
    of_parts = [{"condition": c, "worth": w} for c, w in zip(parts, worth, strict=True)]
    return {**of_parts[0], "parts": of_parts[1:]}


def _with_parts(condition: Any) -> list[Any]:
    parts = condition.get("any", ()) if isinstance(condition, dict) else ()
    return [condition, *parts]


def _list(members: Iterable[str]) -> str:
    return f"[{', '.join(members)}]"


def _steps() -> str:
    told = ",\n\t\t".join(
        f"{json.dumps(name)}: [value | value := data.homeward.sharing.{name} with input as one]"
        for name in _STEPS
    )
    each = f"some one in input\n\ttold := {{\n\t\t{told},\n\t}}"
    return f"package {PACKAGE}\n\nall := [told |\n\t{each}\n]\n"


@contextmanager
def asking(policies: Path) -> Iterator[Asked]:
    """Give `policies` ready to be asked. Raises BrokenPoliciesError, EngineMissingError."""
    with tempfile.TemporaryDirectory(prefix="homeward-") as folder:
        bundle = Path(folder) / "bundle"
        build_bundle(policies, bundle)
        yield Asked(bundle)
