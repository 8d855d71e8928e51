"""Partners come, get other keys and leave while everything runs, and others notice nothing."""

import asyncio
import json
import re
from datetime import UTC, datetime

import nats
import pytest
from support.demo import homeward

from homeward.enrolment import make_keys

STAYS, CHANGES, LEAVES = "northshire-police", "northshire-commissioning", "northshire-sarc"


class Connected:
    """A partner's client that says when it is put out."""

    def __init__(self, folder, key) -> None:
        self.folder, self.key = folder, key
        self.out = asyncio.Event()
        self.out_at: datetime | None = None

    async def __aenter__(self):
        async def put_out(*_) -> None:
            self.out_at = self.out_at or datetime.now(UTC)
            self.out.set()

        context = json.loads((self.folder / f"{self.key}.json").read_text())
        self.client = await nats.connect(
            context["url"], nkeys_seed=str(self.folder / f"{self.key}.nk"),
            inbox_prefix=context["inbox_prefix"].encode(), allow_reconnect=False,
            disconnected_cb=put_out, closed_cb=put_out, error_cb=put_out,
        )  # fmt: skip
        self.js = self.client.jetstream(prefix=context["jetstream_api_prefix"])
        return self

    async def __aexit__(self, *_) -> None:
        await self.client.close()

    async def position(self):
        return await self.js.consumer_info(f"FEED_{self.key}", self.key)


async def ours(*words, home) -> object:
    """Run one of our commands beside the loop."""
    return await asyncio.to_thread(homeward, "partner", *words, "--home", str(home.path))


def disturbances(home) -> int:
    """Return how often a service lost the broker."""
    logs = [file.read_text() for file in home.logs.glob("*.log") if file.stem != "nats"]
    return sum(text.count(word) for text in logs for word in ("broker.away", "not_listening"))


def figures(home, asked_at: datetime, out_at: datetime, acknowledged_at: datetime) -> dict:
    """Return how long it took, in seconds: what docs/partners.md says of it."""
    told = [
        datetime.strptime(found[1], "%Y/%m/%d %H:%M:%S.%f").astimezone()
        for found in re.finditer(
            r'^\[\d+\] (\S+ \S+) \[INF\] Trapped "hangup" signal',
            (home.logs / "nats.log").read_text(), re.MULTILINE,
        )
    ]  # fmt: skip
    return {
        "asked to out": round((out_at - asked_at).total_seconds(), 3),
        "broker told to out": round(
            (out_at - min(at for at in told if at > asked_at)).total_seconds(), 4
        ),
        "out before acknowledged": round((acknowledged_at - out_at).total_seconds(), 3),
    }


async def test_a_partner_gets_other_keys_without_a_moment_in_which_it_cannot_read(
    home, creds, tmp_path
):
    folder, before = creds(CHANGES), disturbances(home)
    make_keys(CHANGES, tmp_path / "new")
    public = tmp_path / "new" / f"{CHANGES}.public.json"
    async with Connected(folder, CHANGES) as old, Connected(creds(STAYS), STAYS) as other:
        changed = await ours("rotate", CHANGES, "--public", str(public), home=home)
        assert changed.returncode == 0, changed.stderr
        assert (await old.position()).num_pending is not None
        for name in (f"{CHANGES}.json", "homeward.jwks.json"):
            (tmp_path / "new" / name).write_bytes((folder / name).read_bytes())
        async with Connected(tmp_path / "new", CHANGES) as new:
            await new.position()
            assert not old.out.is_set()
            done = await ours("rotate", CHANGES, "--done", home=home)
            assert done.returncode == 0, done.stderr
            async with asyncio.timeout(10):
                await old.out.wait()
            await new.position()
            assert not new.out.is_set()
        assert not other.out.is_set()

    # what lay there before opens with the former decryption key
    (tmp_path / "new" / f"{CHANGES}.jwk.json").write_bytes(
        (folder / f"{CHANGES}.jwk.json").read_bytes()
    )
    read = await asyncio.to_thread(
        homeward, "feed", "get", CHANGES, "--creds", str(tmp_path / "new")
    )
    assert read.returncode == 0, read.stderr
    assert disturbances(home) == before


async def test_a_partner_that_is_revoked_is_out_and_comes_back_with_other_keys_only(
    home, creds, tmp_path
):
    folder, before = creds(LEAVES), disturbances(home)
    public = home.partner(LEAVES) / f"{LEAVES}.public.json"
    (tmp_path / "old.json").write_bytes(public.read_bytes())
    async with Connected(folder, LEAVES) as leaver, Connected(creds(STAYS), STAYS) as other:
        await leaver.position()
        asked_at = datetime.now(UTC)
        revoked = await ours("revoke", LEAVES, "--json", home=home)
        acknowledged_at = datetime.now(UTC)
        assert revoked.returncode == 0, revoked.stderr
        assert leaver.out_at is not None, "acknowledged, and the connection is still open"
        print(json.dumps(figures(home, asked_at, leaver.out_at, acknowledged_at)))
        assert asked_at < leaver.out_at < acknowledged_at
        assert not other.out.is_set()
        await other.position()
    told = json.loads(revoked.stdout)
    assert told["partner"]["revoked_at"]
    assert {"cancelled", "erased", "left", "delivered", "children", "successor"} <= set(told)
    with pytest.raises(Exception, match=r"[Aa]uthorization"):
        async with Connected(folder, LEAVES):
            pass

    kind = ("--type", "health", "--role", "named_clinician", "--area", "northshire")
    again = await ours("add", LEAVES, "--public", str(tmp_path / "old.json"), *kind, home=home)
    assert again.returncode == 1
    make_keys(LEAVES, tmp_path / "new")
    fresh = tmp_path / "new" / f"{LEAVES}.public.json"
    back = await ours("add", LEAVES, "--public", str(fresh), *kind, home=home)
    assert back.returncode == 0, back.stderr
    async with Connected(tmp_path / "new", LEAVES) as returned:
        await returned.position()
    assert disturbances(home) == before


async def test_who_is_not_registered_is_neither_changed_nor_revoked(home, tmp_path):
    make_keys("nobody", tmp_path)
    public = str(tmp_path / "nobody.public.json")

    assert (await ours("rotate", "nobody", "--public", public, home=home)).returncode == 1
    assert (await ours("revoke", "nobody", home=home)).returncode == 1
    assert (await ours("rotate", STAYS, home=home)).returncode == 2
