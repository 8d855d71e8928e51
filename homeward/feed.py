"""`homeward feed`: read a feed as its partner, with the partner's files and nothing else."""

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import nats
import typer
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from homeward.feed_open import BadEventError, Opener

app = typer.Typer(no_args_is_help=True, help="Read a partner's feed with that partner's own keys.")

NO, MISUSED, AWAY = 1, 2, 75
FETCH = 50
CONNECT_S = 5.0
WAIT_S = 1.0
"""How long an empty feed is waited for."""

CredsOption = Annotated[Path, typer.Option("--creds", help="Folder with the partner's files.")]
KeyArgument = Annotated[str, typer.Argument(help="The partner, e.g. northshire-police")]


class FeedError(Exception):
    """A feed cannot be read; `code` is the exit code."""

    def __init__(self, why: str, code: int) -> None:
        super().__init__(why)
        self.code = code


@dataclass
class Numbers:
    """Which numbers a partner has seen; they count up by one, and a void takes an erased one's."""

    next: int | None = None
    """All before it have been seen; None: nothing is known yet."""
    ahead: set[int] = field(default_factory=set)
    unacknowledged: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Numbers":
        """Read what an earlier call wrote; a file that is none counts as nothing known."""
        try:
            found = json.loads(path.read_text())
            return cls(found["next"], set(found["ahead"]), list(found["unacknowledged"]))
        except (OSError, ValueError, LookupError, TypeError):
            return cls()

    def write(self, path: Path) -> None:
        """Keep it for the next call."""
        kept = {
            "next": self.next,
            "ahead": sorted(self.ahead),
            "unacknowledged": self.unacknowledged,
        }
        path.write_text(json.dumps(kept) + "\n")

    def saw(self, number: int, *, first: bool) -> None:
        """Note a number; `first` where it came with the first message of the whole feed."""
        if self.next is None:
            self.next = 1 if first else number
        if number >= self.next:
            self.ahead.add(number)
        while self.next in self.ahead:
            self.ahead.discard(self.next)
            self.next += 1

    def missing(self) -> list[int]:
        """Return the numbers that were left out so far."""
        if self.next is None or not self.ahead:
            return []
        return [n for n in range(self.next, max(self.ahead)) if n not in self.ahead]


@dataclass(frozen=True)
class Creds:
    """The four files of a partner."""

    folder: Path
    key: str
    context: dict[str, Any]
    opener: Opener

    @classmethod
    def read(cls, folder: Path, key: str) -> "Creds":
        """Read them. Raises `FeedError` with 2 where one is missing or broken."""
        try:
            context = json.loads((folder / f"{key}.json").read_text())
            jwk = json.loads((folder / f"{key}.jwk.json").read_text())
            jwks = json.loads((folder / "homeward.jwks.json").read_text())
            (folder / f"{key}.nk").read_bytes()
            return cls(folder, key, context, Opener(key, jwk, jwks))
        except OSError as error:
            raise FeedError(f"cannot read {error.filename}: {error.strerror}", MISUSED) from error
        except (ValueError, AttributeError, TypeError) as error:
            raise FeedError(f"{folder} does not hold the files of {key}", MISUSED) from error

    def tls(self) -> ssl.SSLContext | None:
        """Return whose certificate the broker has to have; None where it speaks no TLS.

        Raises OSError where the authority's certificate is not there.
        """
        if not str(self.context["url"]).startswith("tls:"):
            return None
        return ssl.create_default_context(cafile=self.context.get("ca"))

    @property
    def numbers(self) -> Path:
        """Return the file in which seen numbers are kept."""
        return self.folder / f"{self.key}.seen.json"


def read(folder: Path, key: str, count: int | None = None) -> list[dict[str, Any]]:
    """Return what is new on a feed, decrypted and verified, and acknowledge it.

    Raises `FeedError`, `BadEventError`; not from a running event loop.
    """
    creds = Creds.read(folder, key)
    found: list[dict[str, Any]] = []
    asyncio.run(pull(creds, found.append, Numbers(), count=count))
    return found


async def pull(
    creds: Creds,
    take: Callable[[dict[str, Any]], None],
    numbers: Numbers,
    *,
    count: int | None = None,
    ack: bool = True,
) -> None:
    """Hand each event to `take` and acknowledge it after that; until `count` or nothing is left.

    Raises `BadEventError` at the first event that is not ours: it is not acknowledged.
    """
    client = await _connect(creds)
    try:
        jetstream = client.jetstream(prefix=str(creds.context["jetstream_api_prefix"]), timeout=5)
        subscription = await jetstream.pull_subscribe_bind(creds.key, f"FEED_{creds.key}")
        left = count
        while left is None or left > 0:
            batch = FETCH if left is None else min(FETCH, left)
            try:
                messages = await subscription.fetch(batch, timeout=WAIT_S)
            except TimeoutError:
                return
            for message in messages:
                opened = creds.opener.open(message.data)
                numbers.saw(opened["number"], first=message.metadata.sequence.consumer == 1)
                take(opened)
                if ack:
                    await message.ack_sync()
                else:
                    numbers.unacknowledged.append(message.reply)
            left = None if left is None else left - len(messages)
            if messages and messages[-1].metadata.num_pending == 0:
                return
    except APIError as error:
        raise FeedError(f"the broker refuses: {error.description}", NO) from error
    except (NatsError, OSError, TimeoutError) as error:
        raise FeedError("the broker does not answer", AWAY) from error
    finally:
        await client.close()


async def acknowledge(creds: Creds, numbers: Numbers) -> int:
    """Acknowledge what was taken without; return how many."""
    client = await _connect(creds)
    try:
        for place in numbers.unacknowledged:
            await client.request(place, b"+ACK", timeout=5)
        return len(numbers.unacknowledged)
    except (NatsError, OSError, TimeoutError) as error:
        raise FeedError("the broker does not answer", AWAY) from error
    finally:
        await client.close()


async def _connect(creds: Creds) -> Any:
    async def quiet(_error: Exception) -> None:
        """Say nothing: what matters is raised where it matters."""

    try:
        async with asyncio.timeout(CONNECT_S):  # the library would try for two minutes
            return await nats.connect(
                str(creds.context["url"]),
                nkeys_seed=str(creds.folder / f"{creds.key}.nk"),
                inbox_prefix=str(creds.context["inbox_prefix"]).encode(),
                allow_reconnect=False,
                error_cb=quiet,
                tls=creds.tls(),
            )
    except (LookupError, ValueError) as error:
        raise FeedError(f"{creds.key}.json is not a context", MISUSED) from error
    except (NatsError, OSError, TimeoutError) as error:
        if "authorization" in str(error).lower():
            raise FeedError("the broker does not let this key in", NO) from error
        raise FeedError("the broker does not answer", AWAY) from error


# The commands


def _stop(error: Exception) -> typer.Exit:
    typer.echo(f"homeward: {error}", err=True)
    return typer.Exit(error.code if isinstance(error, FeedError) else NO)


def _show(opened: dict[str, Any]) -> None:
    typer.echo(json.dumps(opened, ensure_ascii=False))


@app.command("get")
def get_command(
    key: KeyArgument,
    creds: CredsOption,
    count: Annotated[int | None, typer.Option("--count", min=1, help="At most so many.")] = None,
    ack: Annotated[bool, typer.Option(help="Acknowledge each after printing it.")] = True,
) -> None:
    """Print what is new, decrypted and verified, as JSON lines; exit 1 where one is not ours."""
    try:
        files = Creds.read(creds, key)
        numbers = Numbers.read(files.numbers)
        try:
            asyncio.run(pull(files, _show, numbers, count=count, ack=ack))
        finally:
            _keep(files, numbers)
    except (FeedError, BadEventError) as error:
        raise _stop(error) from error
    for number in numbers.missing():
        typer.echo(f"homeward: a gap: number {number} has not come", err=True)


@app.command("ack")
def ack_command(key: KeyArgument, creds: CredsOption) -> None:
    """Acknowledge what `get --no-ack` printed."""
    try:
        files = Creds.read(creds, key)
        numbers = Numbers.read(files.numbers)
        done = asyncio.run(acknowledge(files, numbers))
    except FeedError as error:
        raise _stop(error) from error
    numbers.unacknowledged = []
    _keep(files, numbers)
    typer.echo(f"{done} acknowledged")


def _keep(files: Creds, numbers: Numbers) -> None:
    try:
        numbers.write(files.numbers)
    except OSError as error:
        typer.echo(f"homeward: seen numbers are not kept: {error.strerror}", err=True)
