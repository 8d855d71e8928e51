"""A partner reads its own feed with its own files, and nothing else."""

import json
from pathlib import Path

import nats
import pytest
from nats.errors import Error as NatsError
from support.demo import Played, homeward

POLICE, LA = "northshire-police", "northshire-childrens-services"


@pytest.fixture(scope="module")
def creds(played: Played, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four files of the police, as a demo home gives them out."""
    folder = tmp_path_factory.mktemp("creds")
    made = homeward(
        "partner", "creds", POLICE, "--out", str(folder), "--home", str(played.home.path)
    )
    assert made.returncode == 0, made.stderr
    return folder


def test_the_four_files_are_there_and_secrets_are_secret(creds: Path):
    names = {f"{POLICE}.nk", f"{POLICE}.jwk.json", f"{POLICE}.json", "homeward.jwks.json"}

    assert {file.name for file in creds.iterdir()} >= names
    assert (creds / f"{POLICE}.nk").stat().st_mode & 0o777 == 0o600


def test_numbers_have_no_gap_and_each_release_is_for_this_partner(played: Played, creds: Path):
    got = homeward("feed", "get", POLICE, "--creds", str(creds))

    found = [json.loads(line) for line in got.stdout.splitlines()]
    assert got.returncode == 0, got.stderr
    assert sorted(one["number"] for one in found) == list(range(1, len(found) + 1))
    assert {one["aud"] for one in found} == {POLICE}
    released = [
        one["release_id"]
        for case in played.results.values()
        for one in case["releases"]
        if one["recipient"] == POLICE and one["state"] in {"sent", "delivered"}
    ]
    assert sorted(one["jti"] for one in found) == sorted(released)


async def test_with_these_files_nobody_elses_feed_can_be_read(creds: Path):
    context = json.loads((creds / f"{POLICE}.json").read_text())

    async def quiet(_: Exception) -> None:
        """What is refused is raised where it is asked."""

    client = await nats.connect(
        context["url"], nkeys_seed=str(creds / f"{POLICE}.nk"),
        inbox_prefix=context["inbox_prefix"].encode(), error_cb=quiet, allow_reconnect=False,
    )  # fmt: skip
    try:
        jetstream = client.jetstream(prefix=context["jetstream_api_prefix"], timeout=1)
        other = await jetstream.pull_subscribe_bind(LA, f"FEED_{LA}")
        with pytest.raises(NatsError):
            await other.fetch(1, timeout=1)
        with pytest.raises(NatsError):
            await jetstream.streams_info()
        with pytest.raises(NatsError):
            await jetstream.publish(f"feed.{LA}.release", b"forged")
    finally:
        await client.close()


def test_all_partners_are_listed(played: Played):
    shown = homeward("partner", "ls", "--json", "--home", str(played.home.path))

    assert {one["key"] for one in json.loads(shown.stdout)} >= {POLICE, LA}
