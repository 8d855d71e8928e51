"""What a draft of the policies would have changed, over every decision on record."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import yaml
from sqlalchemy import make_url

from homeward.engine import NoAnswerError, policy_digest
from homeward.governance import history
from homeward.governance.history import Span
from homeward.governance.replay import added
from homeward.governance.replay_state import State
from homeward.governance.replay_worker import Work
from homeward.governance.saying import POLICIES
from homeward.governance.whatif_report import Whole, findings_of
from homeward.home import Home, HomeError
from services.sharing.policy_data import PolicyData, load

UNIT = 2_000
"""So many decisions are a batch for the engine, and what a kill costs."""
ALL = 1_000_000
"""As good as all: for one child every change is shown."""

Tick = Callable[[int], object]
Report = dict[str, Any]
_Worker = subprocess.Popen[str]


@dataclass(frozen=True)
class Asked:
    """Whose history is decided again, and which of it."""

    home: Home
    database: str | None = None
    """URL of sharing's database, or of all with `{service}` in it; None: the home's own."""
    since: datetime | None = None
    until: datetime | None = None
    child: str | None = None
    cores: int | None = None
    """How many processes decide; None: one for each core, and one while another waits."""
    resume: bool = False
    state: Path | None = None
    unit: int = UNIT
    """Decisions that are decided again together."""

    @property
    def url(self) -> str:
        """The database of `sharing`."""
        if self.database is None:
            return self.home.database_url("sharing")
        return self.database.replace("{service}", "sharing")


def report(
    draft: Path,
    home: Home,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    databases: str | None = None,
) -> Report:
    """Return what `draft` would have changed in a history, from `since` on and before `until`.

    Raises HomeError where the history cannot be read, BrokenPoliciesError and NoAnswerError for a
    draft that cannot decide.
    """
    return whatif(draft, Asked(home, databases, since, until))


def whatif(draft: Path, asked: Asked, tick: Tick = id, begin: Tick = id) -> Report:
    """Return the report; `begin` is told how many decisions there are, `tick` how many are done."""
    versions = _versions(asked, draft)
    in_force = next(iter(versions))
    digest = policy_digest(draft)
    key = asked.home.keys_dir / "ids.key"
    work = Work(
        asked.url, str(draft), versions, str(key) if key.exists() else None,
        _said(asked.since), "",
    )  # fmt: skip
    what = {
        "policy": digest, "versions": sorted(versions), "in_force": in_force,
        "since": work.since, "until": _said(asked.until),
        "child": asked.child,
        "database": make_url(asked.url).render_as_string(hide_password=True),
    }  # fmt: skip
    state = State(asked.state or _beside(asked, digest), what, resume=asked.resume)
    try:
        plan = state.plan or _planned(asked, state)
        work = replace(work, until=plan["until"])
        if asked.child is not None:
            work = replace(work, examples=ALL)
        begin(sum(count for _, count in plan["units"]))
        _decide(work, plan["units"], state, asked.cores or (os.cpu_count() or 1) + 1, tick)
        whole: dict[str, Any] = {}
        for sums in state.sums():
            added(whole, sums)
        made = _report(draft, digest, in_force, versions, asked, plan, Whole(whole), state)
    finally:
        state.close()
    state.remove()
    return made


def _report(  # noqa: PLR0917 - what a report is made of
    draft: Path, digest: str, in_force: str, versions: Mapping[str, str], asked: Asked,
    plan: Mapping[str, Any], whole: Whole, state: State,
) -> Report:  # fmt: skip
    data, against = load(draft), load(Path(versions[in_force]))
    return {
        "kind": "whatif", "policy": digest, "version": data.version, "against": in_force,
        "against_version": against.version,
        "since": _said(asked.since), "until": plan["until"],
        "child": asked.child,
        "decisions": whole.count("decisions"), "children": whole.count("children"),
        "questions": state.questions, "unanswered": whole.count("unanswered"),
        "no_content": whole.count("no_content"), "unchecked": whole.count("unchecked"),
        "uncertain": whole.part("uncertain"), "changes": whole.part("kinds"),
        "cells": whole.part("cells"), "recall": whole.recall,
        "findings": findings_of(whole, _titles(draft, data)),
    }  # fmt: skip


def _said(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _titles(draft: Path, data: PolicyData) -> dict[str, str]:
    read = yaml.safe_load((draft / "recipients.yaml").read_text(encoding="utf-8"))
    told = read.get("recipients", {}) if isinstance(read, dict) else {}
    return {name: str(told.get(name, {}).get("title", name)) for name in data.types}


def _versions(asked: Asked, draft: Path) -> dict[str, str]:
    """Return the folders of the policies at hand by digest: first those in force."""
    kept = asked.home.path / "policy"
    current = kept / "current"
    found: dict[str, str] = {}
    if current.is_file():
        digest = current.read_text().strip()
        if (kept / digest).is_dir():
            found[digest] = str(kept / digest)
    for folder in (POLICIES, *sorted(one for one in kept.glob("*") if one.is_dir()), draft):
        found.setdefault(policy_digest(folder), str(folder))
    return found


def _beside(asked: Asked, digest: str) -> Path:
    folder = asked.home.path if asked.database is None else Path.cwd()
    return folder / f".whatif-{digest[:12]}.sqlite"


def _planned(asked: Asked, state: State) -> dict[str, Any]:
    with history.opened(asked.url) as opened:
        newest = opened.newest()
        if newest is None:
            raise HomeError("there is no decision on record")
        until = asked.until or newest + timedelta(microseconds=1)
        children = opened.children(Span(asked.since, until))
    if asked.child is not None:
        children = [one for one in children if one[0] == asked.child]
        if not children:
            raise HomeError("there is no decision on record about this child")
    plan = {"until": until.isoformat(), "units": list(_units(children, asked.unit))}
    state.begin(plan)
    return plan


def _units(children: Sequence[tuple[str, int]], unit: int) -> Iterator[tuple[list[str], int]]:
    names: list[str] = []
    decisions = 0
    for name, count in children:
        names.append(name)
        decisions += count
        if decisions >= unit:
            yield names, decisions
            names, decisions = [], 0
    if names:
        yield names, decisions


def _decide(
    work: Work, units: Sequence[tuple[list[str], int]], state: State, cores: int, tick: Tick
) -> None:
    done = state.done
    tick(sum(units[number][1] for number in done))
    coming = [number for number in range(len(units)) if number not in done]
    if not coming:
        return
    count = min(cores, len(coming))
    with _workers(work, count) as workers, ThreadPoolExecutor(count) as pool:
        free: SimpleQueue[_Worker] = SimpleQueue()
        for worker in workers:
            free.put(worker)

        def decide(number: int) -> tuple[int, dict[str, Any]]:
            worker = free.get()
            try:
                return number, _exchange(worker, units[number][0])
            finally:
                free.put(worker)

        futures: list[Future[tuple[int, dict[str, Any]]]] = [
            pool.submit(decide, number) for number in coming
        ]
        try:
            for future in as_completed(futures):
                number, sums = future.result()
                state.add(number, sums)
                tick(units[number][1])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.kill()
            raise


@contextmanager
def _workers(work: Work, count: int) -> Iterator[list[_Worker]]:
    with ExitStack() as opened:
        workers = [opened.enter_context(_worker(work)) for _ in range(count)]
        yield workers


@contextmanager
def _worker(work: Work) -> Iterator[_Worker]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "homeward.governance.replay_worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        _write(worker, work.plain())
        yield worker
    finally:
        if worker.stdin is not None:
            try:
                worker.stdin.close()
            except OSError:
                worker.kill()
        worker.wait()
        if worker.stdout is not None:
            worker.stdout.close()


def _write(worker: _Worker, told: Any) -> None:
    if worker.stdin is None:
        raise NoAnswerError("a worker has no pipe")
    worker.stdin.write(json.dumps(told) + "\n")
    worker.stdin.flush()


def _exchange(worker: _Worker, children: Sequence[str]) -> dict[str, Any]:
    line = ""
    with suppress(OSError):  # it may have said why before it ended
        _write(worker, children)
    if worker.stdout is not None:
        line = worker.stdout.readline()
    if not line:
        raise NoAnswerError("a worker ended")
    told: dict[str, Any] = json.loads(line)
    if "fault" in told:
        fault = HomeError if told["fault"] == "HomeError" else NoAnswerError
        raise fault(told["text"])
    return told
