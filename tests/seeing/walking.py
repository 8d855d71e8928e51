"""Somebody on call, who walks a runbook on a running home with the commands that stand in it."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from seeing_home import RULES, Watched

from homeward import probe
from homeward.demo.world import World
from homeward.home import SERVICES

ROOT = RULES.parents[2]
PAGES = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
}
HURT = {"category": "harm", "text": "He hurt me.", "subject": "child", "provenance": "child_said",
        "facts": {}}  # fmt: skip
Sooner = tuple[str, str]
"""A threshold or a window of an alert's expression, and what stands there in a walk."""


class Walk:
    """Somebody on call, with the commands of the pages."""

    def __init__(self, watched: Watched) -> None:
        self.watched, self.home = watched, watched.home
        self.walked: set[str] = set()
        self.now = datetime.now(UTC)

    def begins(self, alert: str, *sooner: Sooner, within_s: float = 60) -> None:
        """See that the alert's expression finds something, perhaps sooner than a site's."""
        self.watched.eventually(expression(alert, *sooner), within_s=within_s)
        self.walked.add(alert)

    def ends(self, alert: str, *sooner: Sooner, within_s: float = 60) -> None:
        self.watched.eventually(expression(alert, *sooner), true=False, within_s=within_s)

    def says(self, *wanted: str) -> None:
        """See that `homeward status` says it on its one screen."""
        said = self.run("status")
        for words in wanted:
            assert words in said, said

    def run(self, *words: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "homeward", *words, "--home", str(self.home.path)],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return ended.stdout + ended.stderr

    def types(self, alert: str, begins: str, **places: object) -> str:
        """Type a command as it stands on the alert's page, with its PLACES filled in."""
        page = (ROOT / PAGES[alert]["annotations"]["runbook"]).read_text()
        page = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
        (command,) = {one for one in re.findall(r"`([^`]+)`", page) if one.startswith(begins)}
        for name, value in places.items():
            command = re.sub(rf"\b{name}\b", str(value), command)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ended = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=120,
            cwd=self.home.path,
            env=os.environ | {"PATH": path, "HOMEWARD_HOME": str(self.home.path)},
        )  # fmt: skip
        return ended.stdout + ended.stderr

    def pid(self, part: str) -> int:
        found: int = self.home.state()["parts"][part]["pid"]
        return found

    def signal(self, part: str, number: int) -> None:
        os.kill(self.pid(part), number)

    @contextmanager
    def stopped(self, *parts: str):
        """Let parts hang; somebody who is called may end or free them before."""
        pids = [self.pid(part) for part in parts]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def call(self, who: str, method: str, service: str, path: str, body=None, **more):
        async def calling():
            world = World(self.home)
            try:
                return await world.call(who, method, service, path, body, **more)
            finally:
                await world.close()

        return asyncio.run(calling())

    def later(self, failing: str = "", **by: float) -> None:
        """Let time pass on every service; the timers of `failing` cannot all run."""
        self.now += timedelta(**by)
        for name in SERVICES:
            expect = (200, 503) if name == failing else (200,)
            body = {"now": self.now.isoformat()}
            self.call("ops", "PUT", name, "/clock", body, expect=expect)

    def rest(self) -> None:
        """Wait until all services are ready and at rest after what was done to them."""
        eventually(self.ready, within_s=90)

        async def resting():
            world = World(self.home)
            try:
                await world.rest()
            finally:
                await world.close()

        asyncio.run(resting())

    def asks(self, alert: str, *sooner: Sooner) -> str:
        """Return what the alert asks, with what is to be sooner in its place."""
        return expression(alert, *sooner)

    def log(self, part: str) -> str:
        return (self.home.logs / f"{part}.log").read_text()

    @contextmanager
    def starved(self, part: str, for_s: float):
        """Let a part run only a little between pauses of `for_s`."""
        pid, over = self.pid(part), threading.Event()

        def starve() -> None:
            while not over.is_set():
                os.kill(pid, signal.SIGSTOP)
                over.wait(for_s)
                os.kill(pid, signal.SIGCONT)
                over.wait(0.02)

        thread = threading.Thread(target=starve)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextmanager
    def down(self, part: str):
        """Kill a part, and keep its supervisor from starting it again meanwhile."""
        supervisor = int(self.home.state()["supervisor"]["pid"])
        os.kill(supervisor, signal.SIGSTOP)
        try:
            self.signal(part, signal.SIGKILL)
            yield
        finally:
            os.kill(supervisor, signal.SIGCONT)

    def ready(self) -> bool:
        return all(probe.is_ready(self.home.url(name)) for name in SERVICES)

    @contextmanager
    def without(self, service: str, table: str):
        """Take away a table, as a fault in a migration would."""
        self._sql(service, f"ALTER TABLE {table} RENAME TO {table}_away")
        try:
            yield
        finally:
            self._sql(service, f"ALTER TABLE {table}_away RENAME TO {table}")

    @contextmanager
    def refusing(self, service: str, table: str, column: str):
        """Let nothing write a column, as a disk or a right would that is away."""
        self._sql(
            service,
            f"CREATE TRIGGER refused BEFORE UPDATE OF {column} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END",
        )
        try:
            yield
        finally:
            self._sql(service, "DROP TRIGGER refused")

    @contextmanager
    def tampered(self):
        """Change the ledger's newest entry, as somebody could who writes to the database."""
        with closing(sqlite3.connect(self.home.db("sharing"), timeout=20)) as db:
            named = "SELECT sql FROM sqlite_master WHERE name = 'ledger_entry_no_update'"
            (trigger,) = db.execute(named).fetchone()
            newest = "SELECT seq, kind FROM ledger_entry ORDER BY seq DESC LIMIT 1"
            seq, kind = db.execute(newest).fetchone()
            change = "UPDATE ledger_entry SET kind = ? WHERE seq = ?"
            db.execute("DROP TRIGGER ledger_entry_no_update")
            db.execute(change, ("nothing", seq))
            db.commit()
            try:
                yield
            finally:
                db.execute(change, (kind, seq))
                db.execute(trigger)
                db.commit()

    def _sql(self, service: str, statement: str) -> None:
        with closing(sqlite3.connect(self.home.db(service), timeout=20)) as db:
            db.execute(statement)
            db.commit()

    @contextmanager
    def no_mail(self):
        """Leave no folder to put a letter in: the mail server is away."""
        mail = self.home.mail
        mail.rename(mail.with_name("mail-away"))
        mail.touch()
        try:
            yield
        finally:
            mail.unlink()
            mail.with_name("mail-away").rename(mail)

    def refer(self, number: int) -> tuple[str, str]:
        """Refer a child; return the child and the episode."""
        back = self.now - timedelta(hours=1)
        body = {
            "source": "parent", "locality": "northshire",
            "child": {"given_name": f"Walk{number}", "family_name": "Example",
                      "date_of_birth": "2012-05-06", "responsible_la": "northshire",
                      "identity_status": "verified"},
            "episode": {"missing_from": (back - timedelta(hours=9)).isoformat(),
                        "returned_at": back.isoformat()},
            "received_at": self.now.isoformat(),
        }  # fmt: skip
        made = self.call("worker", "POST", "referral", "/referrals", body, key=f"walk-{number}")
        return made["child_id"], made["episode_id"]

    def talk(self, number: int, episode: str, said: Mapping[str, object] = HURT) -> None:
        """Write down a talk of which one thing was kept."""
        began = self.now - timedelta(minutes=50)
        body = {
            "kind": "interview", "episode_ids": [episode], "started_at": began.isoformat(),
            "ended_at": (self.now - timedelta(minutes=1)).isoformat(),
            "outcome": "completed_engaged", "confidentiality_explained_at": began.isoformat(),
            "first_content_at": (began + timedelta(minutes=5)).isoformat(), "spoken_alone": True,
            "items": [dict(said)],
        }  # fmt: skip
        key = f"walk-talk-{number}"
        self.call("worker", "POST", "interview", "/interviews", body, key=key)

    def judge(self, who: str, child: str, **values: object) -> None:
        judged = [
            {"name": name, "value": value, "reason": "Looked into."}
            for name, value in values.items()
        ]
        body = {"judgements": judged}
        self.call(who, "PUT", "sharing", f"/children/{child}/judgements", body)


def expression(alert: str, *sooner: Sooner) -> str:
    """Return what the alert asks, with what is to be sooner in its place."""
    found = str(PAGES[alert]["expr"])
    for stands, instead in sooner:
        assert stands in found, f"{alert} does not ask for {stands}"
        found = found.replace(stands, instead)
    return found


def eventually(holds: Callable[[], object], within_s: float = 60) -> None:
    """Wait until something holds."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.3)
