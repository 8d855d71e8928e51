"""Records a home of an earlier version: `python tests/upgrade/record.py REVISION`.

Cases are played with that version's own code, its answers are noted, and everything is killed while
a referral is on its way. What the tests then do with today's code is what happens at an upgrade.
All keys in the recording are made up by it and used nowhere else.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import httpx

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LISTS = {
    "referral": ["/episodes"],
    "scheduling": ["/offers"],
    "sharing": ["/decisions", "/releases"],
}
KEPT = ("db", "keys", "nats", "partners", "generated/localities.yaml", "answers.json")
NOW = "2026-11-20T12:00:00Z"
UNDER_WAY = {
    "source": "police",
    "police_reference": "NP/26/9001",
    "locality": "northshire",
    "child": {"given_name": "Robin", "family_name": "Underway", "date_of_birth": "2012-03-04"},
    "episode": {"missing_from": "2026-11-18T20:00:00Z", "returned_at": "2026-11-20T08:00:00Z"},
    "received_at": "2026-11-20T11:00:00Z",
}


def main(revision: str) -> None:
    """Write `recorded/<revision>.tar.xz`."""
    with tempfile.TemporaryDirectory() as folder:
        code, home = Path(folder, "code"), Path(folder, "home")
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(code), revision], check=True)
        try:
            record(code, home)
        finally:
            subprocess.run([*git, "remove", "--force", str(code)], check=True)
        with tarfile.open(HERE / "recorded" / f"{revision}.tar.xz", "w:xz") as archive:
            for name in KEPT:
                archive.add(home / name, name)


def record(code: Path, home: Path) -> None:
    """Play, note, and kill everything while a referral is on its way."""
    run(code, "demo", "S1", "S5", "--home", str(home), "--keep")
    state = json.loads((home / "state.json").read_text())
    manager = run(code, "token", "manager", "--home", str(home))
    answers = {
        path: listed(state["parts"][service]["url"] + path, manager)
        for service, paths in LISTS.items()
        for path in paths
    }
    for service in ("scheduling", "sharing"):
        os.kill(state["parts"][service]["pid"], signal.SIGSTOP)
    url = state["parts"]["referral"]["url"]
    call("PUT", f"{url}/clock", run(code, "token", "ops", "--home", str(home)), {"now": NOW})
    practitioner = run(code, "token", "practitioner", "--home", str(home))
    answers["under_way"] = call("POST", f"{url}/referrals", practitioner, UNDER_WAY)
    time.sleep(3)  # it reaches the broker, and nobody who could handle it
    (home / "answers.json").write_text(json.dumps(answers, indent=1))
    state = json.loads((home / "state.json").read_text())
    for part in (state["supervisor"], *state["parts"].values()):
        os.kill(part["pid"], signal.SIGKILL)
    for file in (home / "db").glob("*.sqlite"):
        with sqlite3.connect(file) as database:  # what was committed, in one file
            database.execute("pragma wal_checkpoint(truncate)")


def run(code: Path, *arguments: str) -> str:
    """Run a command of that version and return what it prints."""
    command = [sys.executable, "-m", "homeward", *arguments]
    env = {**os.environ, "PYTHONPATH": str(code)}
    done = subprocess.run(command, cwd=code, env=env, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def listed(url: str, token: str) -> list[dict]:
    """Return a whole list, page by page."""
    items, after = [], ""
    while after is not None:
        page = call("GET", f"{url}?limit=200" + (f"&after={after}" if after else ""), token)
        items += page["items"]
        after = page["next"]
    return items


def call(method: str, url: str, token: str, body: object = None) -> dict:
    """Return the answer to one call."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "under-way"}
    answer = httpx.request(method, url, headers=headers, json=body, timeout=30)
    return answer.raise_for_status().json()


if __name__ == "__main__":
    main(sys.argv[1])
