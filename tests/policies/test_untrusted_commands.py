"""No command evaluates a draft that calls what it may not: each is tried, and would be seen."""

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from homeward.engine import builtins, find_engine
from homeward.engine.found import query
from homeward.policy import app
from tests.policies.conftest import POLICIES
from tests.policies.documents import a_document

Words = Callable[[str, Path], list[str]]

TAKE_A_DRAFT: dict[str, Words] = {
    "eval": lambda draft, _: ["--policies", draft],
    "test": lambda draft, _: ["--policies", draft],
    "bundle": lambda draft, place: [str(place / "bundle"), "--policies", draft],
    "table": lambda draft, _: ["--policies", draft],
    "schema": lambda draft, _: ["--policies", draft],
    "check": lambda draft, _: [draft],
    "diff": lambda draft, _: [str(POLICIES), draft],
    "explain": lambda draft, place: [str(place / "document.json"), "--policies", draft],
    "whatif": lambda draft, place: [draft, "--home", str(place / "home")],
    "prove": lambda draft, _: [draft, "--reduced"],
    "draft": lambda draft, place: [draft, "--home", str(place / "home")],
    "approve": lambda draft, place: ["1", "--draft", draft, "--home", str(place / "home")],
    "activate": lambda draft, place: ["1", "--draft", draft, "--home", str(place / "home")],
}
TAKE_NONE = {
    "bundle-keys": "makes keys",
    "override": "names findings of a version that was drafted",
    "rollback": "drafts an old version anew, whose sources went through `draft`",
    "lockdown": "loads the twin of the version in force",
    "history": "lists what happened",
}


def commands() -> set[str]:
    return set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


class Listener:
    """A door on this machine that counts who knocks."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self.knocks = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.knocks += 1
            visitor.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            visitor.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.close()


def a_draft(folder: Path, url: str, file: str) -> str:
    """The tree's policies, in which a rule (or a test) asks `url` whenever it is evaluated."""
    shutil.copytree(POLICIES, folder)
    call = f'http.send({{"method": "GET", "url": "{url}"}}).status_code == 204'
    if file.endswith("_test.rego"):
        (folder / file).write_text(f"package homeward.spy_test\n\ntest_spies if {call}\n")
    else:
        (folder / file).write_text(f"package homeward.sharing\n\nspies if {call}\n")
        for rule in ("decision := judged if {\n", "fits if {\n"):
            for rego in folder.glob("*.rego"):
                text = rego.read_text()
                rego.write_text(text.replace(f"\n{rule}", f"\n{rule}\tnot spies\n"))
    return str(folder)


def test_every_command_is_known_to_take_a_draft_or_none() -> None:
    """A new command is tried here too, or says why it takes none."""
    assert commands() == TAKE_A_DRAFT.keys() | TAKE_NONE.keys()


def test_the_door_would_be_knocked_on(listener: Listener) -> None:
    """The engine itself would go there: only the check before it keeps a draft from it."""
    query(find_engine(), f'http.send({{"method": "GET", "url": "{listener.url}"}})', None)

    assert listener.knocks > 0


@pytest.mark.parametrize(
    ("command", "file"),
    [(name, "spy.rego") for name in TAKE_A_DRAFT]
    + [(name, "spy_test.rego") for name in ("test", "check", "draft")],
)
def test_a_draft_that_calls_out_is_not_evaluated(
    command: str, file: str, listener: Listener, tmp_path: Path
) -> None:
    draft = a_draft(tmp_path / "policies", listener.url, file)
    (tmp_path / "document.json").write_text(json.dumps(a_document()))
    words = [command, *TAKE_A_DRAFT[command](draft, tmp_path)]

    done = CliRunner().invoke(app, words, input=json.dumps(a_document()))

    assert listener.knocks == 0, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    if command not in (
        "table",
        "schema",
        "diff",
    ):  # these read what is written and evaluate nothing
        assert done.exit_code != 0, done.output


HIDDEN = {
    "plain": 'x := http.send({"url": "u"})',
    "the environment": "x := opa.runtime().env",
    "the clock": "x := time.now_ns()",
    "chance": 'x := rand.intn("seed", 9)',
    "the network": 'x := net.lookup_ip_addr("localhost")',
    "a token": 'x := io.jwt.decode("t")',
    "trace": 'x if trace("said")',
    "print": "x if print(input)",
    "put in place of another": "x := y if { y := f(1) with f as http.send }\n\nf(y) := y",
    "put in place of a built-in": "x if { y := count([1]) with count as opa.runtime; y }",
    "in a list": 'x := [a | some u in ["a"]; a := http.send({"url": u})]',
    "in a set": "x := {a | a := time.now_ns()}",
    "in an object": "x := {k: v | k := 1; v := opa.runtime()}",
    "in every": "x if { every y in [http.send({})] { y } }",
    "in a default": "default x := 1\n\nx := 2 if { not http.send({}) }",
    "in an argument": "x := count(object.get(http.send({}), [], []))",
    "in a function": "f(y) := http.send(y)\n\nx := f({})",
    "in an else": "x := 1 if { false } else := http.send({})",
    "under its own name": "print(y) := y\n\nx := print(1)",
    "through an import": "import data.elsewhere as http\n\nx := http.send({})",
    "in a rule called http": 'http := {"send": 1}\n\nx := http.send({})',
}


def test_a_call_that_is_hidden_is_found() -> None:
    sources = {name: f"package homeward.sharing\n\n{text}\n" for name, text in HIDDEN.items()}
    parse = "{name: rego.parse_module(name, text) | some name, text in input}"

    modules = query(find_engine(), parse, sources)

    assert modules.keys() == sources.keys()
    assert [name for name in sources if not builtins.forbidden({name: modules[name]})] == []
