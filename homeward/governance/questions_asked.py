"""The engine as `questions` asks it: one rule of the policies, of many documents at once.

`python -m homeward.governance.questions_asked BUNDLE` is the library in a process of its own, which
can be killed; OPA's server is such a process anyhow.
"""

import http.client
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from homeward.engine.faults import NoAnswerError
from homeward.engine.found import Engine
from homeward.engine.patience import LOOK_S, CutOffError, Patience, Watch, confine
from homeward.engine.private import LAZY_GC, UnixConnection, private_server
from homeward.governance.questions_edits import Cut, in_parts

MODULE = "questions.rego"
PATIENCE = Patience(question_s=5.0, document_s=0.02)
"""A thousand times what a usual question costs."""

_ANSWERS = "homeward_questions.answers"
_PATH = "/v1/data/homeward_questions/answers?strict-builtin-errors=true"
_ASKING = """package homeward_questions

answers := [told |
	name := input.rule
	some given in input.documents
	told := value[name] with input as document(given)
]

document(given) := {key: input.parts[place] | some key, place in given} if is_object(given)

document(given) := input.parts[given] if is_number(given)
"""


def module(rules: Iterable[tuple[str, str, Iterable[str]]]) -> str:
    """Return the Rego that answers by name: for each rule its reference and the parts to tell.

    A value is told as OPA writes it, which is another text for another value, and as JSON, which
    need not be (a set and an array look alike).
    """
    text = 'sprintf("%v", [[{}]])'.format
    lines = [_ASKING]
    for name, reference, parts in rules:
        told = ", ".join(
            f"{json.dumps(p)}: [{text('part')} | part := v[{json.dumps(p)}]]" for p in parts
        )
        value = f"[{text('v')}, type_name(v), {{{told}}}, v]"
        lines.append(f"value[{json.dumps(name)}] := [{value} | v := {reference}]\n")
    return "\n".join(lines)


class Link(Protocol):
    """A process that holds the policies."""

    pid: int

    def send(self, question: bytes) -> int:
        """Send one question; return the file descriptor on which its answer comes."""

    def receive(self) -> Any:
        """Return the answer as JSON. Raises OSError, ValueError, HTTPException."""


class Asker:
    """Asks for one rule of many documents, and cuts off what does not end."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def ask(self, rule: str, documents: Sequence[Any], cut: Cut | None = None) -> list[Any]:
        """Ask for `rule` of `documents`, of which it sees no more than what is kept by `cut`.

        Return for each document `[]` (undefined), `[value]`, or None where the engine failed.

        A value is `[text, type, {part: [text] or []}, JSON]`. Raises CutOffError.
        """
        try:
            return self._answers(rule, documents, cut)
        except NoAnswerError as error:
            if isinstance(error, CutOffError):
                raise
            if len(documents) == 1:
                return [None]
        half = len(documents) // 2  # one that breaks the engine must not take the others along
        return self.ask(rule, documents[:half], cut) + self.ask(rule, documents[half:], cut)

    def _answers(self, rule: str, documents: Sequence[Any], cut: Cut | None) -> list[Any]:
        told, parts = in_parts(documents, cut)
        question = json.dumps(
            {"input": {"rule": rule, "documents": told, "parts": parts}}, separators=(",", ":")
        )
        watch = Watch([self._link.pid], PATIENCE.for_(len(documents)))
        try:
            place = self._link.send(question.encode())
            while not select.select([place], [], [], LOOK_S)[0]:
                if watch.is_over():
                    raise CutOffError(f"{rule} was cut off: the policies loop")
            answers = self._link.receive()["result"]
        except (OSError, http.client.HTTPException) as error:
            raise CutOffError(f"{rule}: the engine's process ended") from error
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise NoAnswerError(str(error)) from error
        if not isinstance(answers, list) or len(answers) != len(documents):
            raise NoAnswerError("no result")
        return answers


@contextmanager
def asker(engine: Engine, bundle: Path) -> Iterator[Asker]:
    """Start the engine on `bundle`, in which `MODULE` was written; end it at the end."""
    with ExitStack() as opened:
        if engine.kind == "library":
            yield Asker(opened.enter_context(_library(bundle)))
            return
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="homeward-")))
        place, pid = opened.enter_context(private_server(engine, folder, bundle))
        server = _Server(place, pid)
        opened.callback(server.close)
        yield Asker(server)


class _Server:
    """OPA's server."""

    def __init__(self, place: Path, pid: int) -> None:
        self.pid = pid
        self._connection = UnixConnection(place)

    def send(self, question: bytes) -> int:
        self._connection.request("POST", _PATH, question, {"Content-Type": "application/json"})
        return self._connection.sock.fileno()

    def receive(self) -> Any:
        return json.loads(self._connection.getresponse().read())

    def close(self) -> None:
        self._connection.close()


class _Library:
    """The library in a process of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.pid = process.pid
        self._process = process

    def send(self, question: bytes) -> int:
        if self._process.stdin is None or self._process.stdout is None:
            raise BrokenPipeError
        self._process.stdin.write(question + b"\n")
        self._process.stdin.flush()
        return self._process.stdout.fileno()

    def receive(self) -> Any:
        if self._process.stdout is None:
            raise BrokenPipeError
        answer = self._process.stdout.readline()
        if not answer:
            raise BrokenPipeError
        return json.loads(answer)


@contextmanager
def _library(bundle: Path) -> Iterator[_Library]:
    process = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "homeward.governance.questions_asked", str(bundle)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **LAZY_GC},
    )  # fmt: skip
    confine(process.pid)
    try:
        yield _Library(process)
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    """Answer a question a line, until the other side closes."""
    from homeward.engine.loaded import Loaded, OpaError  # noqa: PLC0415 - may not be installed

    loaded = Loaded(Path(sys.argv[1]))
    for line in sys.stdin.buffer:
        try:
            told = {"result": loaded.document(_ANSWERS, json.loads(line)["input"])}
        except (OpaError, RecursionError):
            told = {}
        sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
