"""A backup taken before a withdrawal and restored after it releases nothing that it stopped."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.demo import homeward
from typer.testing import CliRunner

from homeward import enrolment, feed, quarantine, up
from homeward.home import Home

POLICE = "northshire-police"
BACK = datetime.now(UTC) - timedelta(days=3)


def at(hours: float) -> str:
    return (BACK + timedelta(hours=hours)).isoformat()


class Site:
    """A home on one machine, its people, and a partner with an archive of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = Home.at(folder / "home")
        self.creds = folder / "police"
        self.archive = folder / "police-archive.jsonl"
        self.backup = folder / "backup"
        self.export = folder / "export.jsonl"

    def run(self, *words: str, ends: int = 0) -> str:
        """Run the command for this home; it has to end with `ends`."""
        done = homeward(*words, "--home", str(self.home.path))
        assert done.returncode == ends, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout + done.stderr

    def step(self, *words: str, ends: int = 0) -> str:
        """Run `homeward quarantine …` in this process: a start costs a second each time."""
        done = CliRunner().invoke(quarantine.app, [*words, "--home", str(self.home.path)])
        assert done.exit_code == ends, f"{words}: {done.output[-2000:]}"
        return done.output

    def call(self, who: str, method: str, service: str, path: str, body=None) -> Any:
        """Call a service as `role/sub`; the same call again is answered again."""
        role, _, sub = who.partition("/")
        token = self.home.token(role, sub, services=[service])
        key = hashlib.sha256(json.dumps([path, sub, body]).encode()).hexdigest()
        answer = httpx.request(
            method, self.home.url(service) + path, json=body, timeout=60, trust_env=False,
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": key},
        )  # fmt: skip
        assert answer.is_success, (path, answer.text)
        return answer.json()

    def worker(self, method: str, service: str, path: str, body=None) -> Any:
        return self.call("practitioner/W-1", method, service, path, body)

    def partner_joins(self) -> None:
        *_, public = enrolment.make_keys(POLICE, self.creds)
        told = json.loads(public.read_text())
        enrolment.add(
            self.home, POLICE, told, type="police", role="missing_unit", area="northshire"
        )
        enrolment.write_context(self.home, POLICE, self.creds)

    def partner_reads(self) -> list[dict]:
        """Let the partner read what is new, and keep it."""
        enrolment.write_context(self.home, POLICE, self.creds)  # ports may be others
        done = CliRunner().invoke(feed.app, ["get", POLICE, "--creds", str(self.creds)])
        assert done.exit_code == 0, done.stderr
        with self.archive.open("a") as kept:
            kept.write(done.stdout)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def a_child_agrees(self, n: int) -> str:
        """A child is back, talks, agrees that the police hear the reasons; return the child."""
        referred = self.worker("POST", "referral", "/referrals", a_referral(n))
        episode, child = referred["episode_id"], referred["child_id"]
        attempt = {"method": "phone", "occurred_at": at(3), "outcome": "contact"}
        soon(lambda: self.worker("POST", "scheduling", f"/episodes/{episode}/attempts", attempt))
        told = soon(lambda: self.worker("POST", "interview", "/interviews", a_talk(episode)))
        (item,) = told["item_ids"]
        line = {"item_id": item, "recipient": POLICE, "status": "agreed"}
        agreed = {"by": "child", "items": [{**line, "consequences_explained": True}]}
        soon(lambda: self.worker("PUT", "sharing", f"/children/{child}/agreement", agreed))
        path = f"/children/{child}/judgements"
        calm = [judged(name, False) for name in ("G2", "G3", "G4", "G5", "G6")]
        nobody = judged("child_alleged_perpetrator", "none")
        soon(lambda: self.call("dsl/D-1", "PUT", "sharing", path, judgements(*calm, nobody)))
        mine = judgements(judged("competence", "competent"), judged("child_told", True))
        soon(lambda: self.worker("PUT", "sharing", path, mine))
        return child

    def release_of(self, child: str) -> dict:
        """Return the release of what this child said to the police, once there is one."""

        def find() -> dict | None:
            found = self.call("manager/M-1", "GET", "sharing", "/releases?limit=200")["items"]
            mine = [r for r in found if (r["child_id"], r["recipient"]) == (child, POLICE)]
            return next((r for r in mine if r["category"] == "push_pull"), None)

        return eventually(find, f"no release of {child}")


def a_referral(n: int) -> dict:
    return {
        "source": "police",
        "police_reference": f"NP/26/7{n:03}",
        "locality": "northshire",
        "child": {
            "given_name": f"Child{n}",
            "family_name": "Example",
            "date_of_birth": "2011-01-01",
            "identity_status": "verified",
            "legal_status": "home",
            "responsible_la": "northshire",
        },
        "episode": {"setting": "home", "missing_from": at(-6), "returned_at": at(0)},
        "received_at": at(1),
    }


def a_talk(episode: str) -> dict:
    item = {
        "category": "push_pull",
        "text": "It is boring at home and everybody is at the parties.",
        "fields": {"codes": ["loneliness"], "plain_words": ["Lonely at home"]},
        "provenance": "child_said",
        "subject": "child",
        "facts": {"police_purpose": "prevention", "factor_about_carer": False},
    }
    return {
        "kind": "interview",
        "episode_ids": [episode],
        "started_at": at(20),
        "ended_at": at(21),
        "outcome": "completed_engaged",
        "service_outcome": "accepted",
        "confidentiality_explained_at": at(20),
        "spoken_alone": True,
        "items": [item],
    }


def judged(name: str, value: Any) -> dict:
    return {"name": name, "value": value, "reason": "As judged in this test."}


def judgements(*found: dict) -> dict:
    return {"judgements": list(found)}


def eventually(find: Callable[[], Any], why: str, within_s: float = 60) -> Any:
    end = time.monotonic() + within_s
    while not (found := find()):
        assert time.monotonic() < end, why
        time.sleep(0.2)
    return found


def soon(call: Callable[[], Any]) -> Any:
    """Make a call that names what another service may not have heard of yet."""
    for _ in range(20):
        try:
            return call()
        except AssertionError:
            time.sleep(0.5)
    return call()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    try:
        up.start_detached(made.home)
        yield made
    finally:
        up.stop(made.home)


def test_a_restored_home_releases_nothing_that_a_withdrawal_has_stopped(site: Site):
    """One story, told in three parts."""
    stopped, child, read = lost_after_a_withdrawal(site)
    restored_and_brought_back(site, child)
    work_goes_on(site, stopped, read)


def lost_after_a_withdrawal(site: Site) -> tuple[str, str, dict]:
    """Back up with a release unread on the feed; it is withdrawn, others go on, all is lost."""
    site.partner_joins()
    first = site.a_child_agrees(1)
    was_read = site.release_of(first)["id"]
    eventually(lambda: site.release_of(first)["state"] == "sent", "not sent")
    assert was_read in {one["jti"] for one in site.partner_reads()}
    child = site.a_child_agrees(2)
    stopped = site.release_of(child)["id"]
    eventually(lambda: site.release_of(child)["state"] == "sent", "not sent")

    assert "Encrypt it" in site.run("backup", str(site.backup))

    answer = site.worker("POST", "sharing", f"/children/{child}/withdrawals", {"recipients": "all"})
    assert stopped in {one["release_id"] for one in answer["erased"]}
    third = site.a_child_agrees(3)
    later = site.release_of(third)["id"]
    eventually(lambda: site.release_of(third)["state"] == "sent", "not sent")
    read = {one["jti"]: one for one in site.partner_reads()}
    assert read[later]["type"] == "homeward.release.v1"
    assert read[stopped]["type"] == "homeward.void.v1"
    assert read[later]["checkpoint"]["seq"] > 0
    site.run("ledger", "export", "--out", str(site.export))

    up.stop(site.home)
    shutil.rmtree(site.home.path)
    return stopped, child, read[later]


def restored_and_brought_back(site: Site, child: str) -> None:
    """Restore; out of order nothing goes on, and in order two people end the quarantine."""
    assert "QUARANTINE" in site.run("restore", str(site.backup))
    up.start_detached(site.home)

    assert "QUARANTINE" in site.step("show", ends=1)
    time.sleep(5)  # deliveries look each second
    assert site.partner_reads() == []

    dpo, dsl = ("--role", "dpo", "--sub", "P-1"), ("--role", "dsl", "--sub", "D-1")
    assert "this partner" in site.step("end", *dpo, ends=1)
    assert "this partner" in site.step("withdrawals", *dpo, ends=1)

    told = site.step("outside", str(site.archive))
    assert "entries that are not here" in told
    told = site.step("ledger", str(site.export))
    assert "withdrawal" in told
    assert "to be entered" in told
    found = site.call("dpo/P-1", "GET", "sharing", "/quarantine")
    (withdrawal,) = found["withdrawals"]
    assert withdrawal["child_id"] == child
    seq = ("--seq", str(withdrawal["seq"]))

    assert "not entered" in site.step("withdrawals", *dpo, *seq, ends=1)
    again = {"recipients": "all", "occurred_at": withdrawal["occurred_at"]}
    site.worker("POST", "sharing", f"/children/{child}/withdrawals", again)
    site.step("withdrawals", *dpo, *seq)

    assert "second person" in site.step("end", *dpo)
    assert "not_another" in site.step("end", *dpo, ends=1)
    same = ("--role", "dsl", "--sub", "P-1")
    assert "not_another" in site.step("end", *same, ends=1)
    assert site.partner_reads() == []
    assert "has ended" in site.step("end", *dsl)


def work_goes_on(site: Site, stopped: str, held_outside: dict) -> None:
    """Numbers follow those that were read, what was stopped never comes, the ledger is whole."""
    fourth = site.a_child_agrees(4)
    new = site.release_of(fourth)["id"]
    eventually(lambda: site.release_of(fourth)["state"] == "sent", "not sent")
    after = site.partner_reads()
    everything = [json.loads(line) for line in site.archive.read_text().splitlines()]
    releases = [one for one in everything if one["type"] == "homeward.release.v1"]

    assert new in {one["jti"] for one in after}
    assert stopped not in {one["jti"] for one in releases}
    assert len({one["number"] for one in releases}) == len(releases)
    assert len({one["jti"] for one in releases}) == len(releases)
    assert {one["number"] for one in everything} == set(
        range(1, max(one["number"] for one in everything) + 1)
    )

    site.run("ledger", "export", "--out", str(site.export))
    held = site.export.with_name("held.json")
    held.write_text(json.dumps(held_outside["checkpoint"]))
    key = str(site.home.keys_dir / "ledger.jwks.json")
    site.run("ledger", "verify", str(site.export), "--key", key, "--head", str(held))
    assert "quarantine" in site.export.read_text()


def test_a_home_that_is_up_or_holds_something_is_never_restored_over(site: Site):
    assert "nothing is ever overwritten" in site.run("restore", str(site.backup), ends=1)
    assert "nothing is ever overwritten" in site.run("backup", str(site.backup), ends=1)
