"""The smallest services that can tell and hear: real names of the topology, tables of their own."""

import json
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column
from support.broker import free_port
from support.running import Running
from support.tokens import ISSUER

from contracts.referral import EpisodeReferred
from messaging.app import service
from messaging.database import Key, new_base
from messaging.settings import Settings
from messaging.subscriptions import Subscriptions
from messaging.transaction import emit_all, handling

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
Base = new_base()


class Effect(Base):
    """One line per effect, without a unique key: a second one would show."""

    __tablename__ = "effects"
    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    event_id: Mapped[str] = mapped_column(String(200))


def an_episode(number: int, **changes) -> EpisodeReferred:
    """Return one valid event."""
    facts = {
        "id": f"EV-{number}",
        "occurred_at": NOON,
        "referral_id": f"R-{number}",
        "child_id": "C-1",
        "episode_id": f"E-{number}",
        "locality": "northshire",
        "setting": "home",
        "missing_from": NOON,
        "returned_at": NOON,
        "received_at": NOON,
    } | changes
    return EpisodeReferred(**facts)


def takes(by: str = "scheduling.take", before=None) -> Subscriptions:
    """Return subscriptions whose one handler writes an effect, after calling `before(event)`."""
    events = Subscriptions()

    @events.on(EpisodeReferred, by=by)
    async def take(event: EpisodeReferred, app) -> None:
        if before is not None:
            await before(event)
        async with handling(app.db, event, by=by) as session:
            session.add(Effect(event_id=event.id))

    return events


class Small:
    """Makes and runs small services against one broker."""

    def __init__(self, directory: Path, broker, issuer) -> None:
        self.directory, self.broker, self.issuer = directory, broker, issuer
        self.running: list[Running] = []
        self._databases = []
        (directory / "ids.key").write_bytes(bytes(range(32)))

    def settings(self, name: str, **changes) -> Settings:
        facts = {
            "database_url": f"sqlite:///{self.directory}/{name}.sqlite",
            "nats_url": self.broker.url if self.broker else "nats://127.0.0.1:1",
            "nats_nkey": self.broker.seed(name) if self.broker else Path("none"),
            "issuer": ISSUER,
            "jwks": str(self.issuer.jwks),
            "tokens": self.directory,
            "id_key": self.directory / "ids.key",
            "clock": "test",
        } | changes
        return Settings(service=name, **facts)

    async def api(self, name: str, *, settings=None, **parts):
        """Return the ASGI app of a small service with its tables made."""
        api = self._track(
            service(name, settings=settings or self.settings(name), base=Base, **parts)
        )
        async with api.state.homeward.db.writing() as session:
            connection = await session.connection()
            await connection.run_sync(Base.metadata.create_all)
        return api

    def _track(self, api):
        self._databases.append(api.state.homeward.db)
        return api

    async def __call__(self, name: str, *, wait: bool = True, settings=None, **parts) -> Running:
        running = Running(name, f"http://127.0.0.1:{free_port()}", self.issuer)
        await running.serve(await self.api(name, settings=settings, **parts))
        self.running.append(running)
        if wait:
            await running.until_ready()
        return running

    async def stop(self) -> None:
        for running in reversed(self.running):
            await running.stop()
        for db in self._databases:
            await db.dispose()


async def tell(app, *events) -> None:
    """Emit events in one transaction."""
    async with app.db.writing() as session:
        await emit_all(session, events)


async def effects(app) -> list[str]:
    """Return the ids of all effects, in order."""
    from sqlalchemy import select

    async with app.db.reading() as session:
        return list((await session.execute(select(Effect.event_id).order_by(Effect.seq))).scalars())


def body_of(event) -> bytes:
    return json.dumps(json.loads(event.model_dump_json())).encode()
