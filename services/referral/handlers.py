"""What happens when a referral arrives: whose it is, which episode, and who is told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_hex

from pydantic import BaseModel
from sqlalchemy import Select, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.referral import EpisodeReferred
from messaging.app import App
from messaging.caller import Caller
from messaging.database import lock
from messaging.errors import AwayError
from messaging.idempotent import remember, remembered
from messaging.problem import Problem
from messaging.transaction import emit
from services.referral.children import add_child, change_child, facts_of
from services.referral.domain import Facts, Said, Times, TriageReason, triage_reasons
from services.referral.localities import Locality
from services.referral.patterns import look_for_patterns
from services.referral.tables import Child, Episode, ExternalId, Referral
from services.referral.tasks import Question, ask

ROUTE = "POST /referrals"
_TRIES = 8
"""Of a transaction that met its own duplicate; four senders at a time need at most four."""


class LostRaceError(Exception):
    """Another referral of the same child was first; trying again finds what it has left."""


@dataclass(frozen=True)
class Asked:
    """A referral as it was read: every time a moment, everything unsaid None."""

    by: str
    """`sub` of who sends it."""
    source: str
    police_reference: str | None
    locality: str
    child_id: str | None
    external_ids: Mapping[str, str]
    said: Said
    setting: str
    grading: str | None
    times: Times
    ambiguous: tuple[str, ...]
    """Fields whose local time exists twice."""
    body_digest: str
    rules: Locality
    locality_known: bool
    """Whether the rules are that locality's own or those for a route nobody configured (R04)."""

    @property
    def report_digest(self) -> str | None:
        """Return what makes a police report the same one when it is sent again.

        Reference and start alone would swallow siblings who left together under one reference
        (S9), so who it is about belongs to it.
        """
        if self.police_reference is None:
            return None
        start, born = self.times.missing_from.isoformat(), self.said.date_of_birth.isoformat()
        cause = json.dumps([self.police_reference, start, self.said.name_key, born])
        return sha256(cause.encode()).hexdigest()


class Taken(BaseModel):
    """The answer to a referral."""

    referral_id: str
    child_id: str
    episode_id: str
    state: str = "accepted"
    """`triage` where the usual road does not fit and a person has to look."""


async def take_referral(
    app: App, caller: Caller, asked: Asked, key: str | None, body: BaseModel
) -> tuple[Taken, bool]:
    """Take a referral once, however often and by however many it is sent at the same time.

    Returns the answer and whether it is the first. Duplicates that race meet a unique constraint
    (key, report, external id, child and start); the loser tries again and finds the winner's.
    """
    for _ in range(_TRIES):
        try:
            async with app.db.writing() as session:
                stored = await remembered(session, key, caller, ROUTE, body)
                if stored is not None:
                    return Taken.model_validate(stored.body), False
                referral_id = app.ids.after("RF", caller.sub, key) if key else None
                taken, new = await _take(app, session, asked, referral_id)
                await remember(session, key, caller, ROUTE, body, taken)
                return taken, new
        except (IntegrityError, LostRaceError):
            continue
    raise AwayError("database", "contended")


async def _take(
    app: App, session: AsyncSession, asked: Asked, referral_id: str | None
) -> tuple[Taken, bool]:
    """Return the answer to a referral and whether it is the first one to this report."""
    first = await _reported_before(session, asked)
    if first is None:
        return _answer(await _record(app, session, asked, referral_id)), True
    if first.body_digest != asked.body_digest:
        await _take_what_is_new(app, session, asked, first)
    return _answer(first), False


async def _record(
    app: App, session: AsyncSession, asked: Asked, referral_id: str | None
) -> Referral:
    """Record a referral that was not there, with its child and episode."""
    rules = asked.rules
    referral_id = referral_id or await _new_id(app, session, asked)
    child = await _known_child(session, asked)
    if child is None:
        child_id = app.ids.after("CH", referral_id)
        facts = Facts.first(asked.said, asked.locality, rules.authority)
        child = await add_child(app, session, child_id, facts)
    else:
        await _join(app, session, child, asked)
    await _keep_external_ids(session, child.id, asked)
    reasons = triage_reasons(
        locality_known=asked.locality_known, born=asked.said.date_of_birth,
        missing_from=asked.times.missing_from, zone=rules.zone, upper_age=rules.upper_age,
    )  # fmt: skip
    episode = await _episode(app, session, child, asked, referral_id)
    referral = Referral(
        id=referral_id, child_id=child.id, episode_id=episode.id, source=asked.source,
        police_reference=asked.police_reference, missing_from=asked.times.missing_from,
        report_digest=asked.report_digest, body_digest=asked.body_digest, locality=asked.locality,
        state="triage" if reasons else "accepted", triage=list(reasons),
        received_at=asked.times.received_at, recorded_at=app.clock.now(), recorded_by=asked.by,
    )  # fmt: skip
    session.add(referral)
    await _ask_people(app, session, referral, asked, reasons)
    await session.flush()
    return referral


async def _new_id(app: App, session: AsyncSession, asked: Asked) -> str:
    """Return an id that follows from the cause where there is one that holds nothing personal."""
    if asked.police_reference is None:
        return app.ids.after("RF", token_hex(16))
    earlier = await session.scalars(_same_reference(asked).with_only_columns(Referral.id))
    start = asked.times.missing_from.isoformat()
    return app.ids.after("RF", asked.police_reference, start, len(earlier.all()))


def _same_reference(asked: Asked) -> Select[Referral]:
    return select(Referral).where(
        Referral.police_reference == asked.police_reference,
        Referral.missing_from == asked.times.missing_from,
    )


async def _reported_before(session: AsyncSession, asked: Asked) -> Referral | None:
    """Return the referral that a police report repeats: same reference, same start, same child."""
    if asked.police_reference is None:
        return None
    candidates = (await session.scalars(_same_reference(asked))).all()
    known = await _named_ids(session, asked) if candidates else set()
    for referral in candidates:
        if referral.report_digest == asked.report_digest or referral.child_id in known:
            return referral
    return None


async def _take_what_is_new(app: App, session: AsyncSession, asked: Asked, first: Referral) -> None:
    """Take what a repeat says differently: the child's facts change, other times are a question."""
    child = await lock(session, Child, first.child_id)
    episode = await session.get(Episode, first.episode_id)
    if child is None or episode is None:
        raise AwayError("database", "referral_incomplete")
    named = await _named_ids(session, asked)
    if named - {child.id}:
        raise _ids_disagree()
    await _join(app, session, child, asked)
    await _keep_external_ids(session, child.id, asked)
    await _compare_times(app, session, episode, asked)


async def _named_ids(session: AsyncSession, asked: Asked) -> set[str]:
    """Return the children that `child.id` and the external ids name."""
    named = {asked.child_id} if asked.child_id is not None else set()
    if asked.external_ids:
        pair = tuple_(ExternalId.system, ExternalId.value)
        rows = select(ExternalId.child_id).where(pair.in_(list(asked.external_ids.items())))
        named |= set((await session.scalars(rows)).all())
    return named


def _ids_disagree() -> Problem:
    code = "child.ids_disagree"
    return Problem(409, code, fields=[("body.child.external_ids", code)])


async def _known_child(session: AsyncSession, asked: Asked) -> Child | None:
    """Return the child that the ids name, locked, or None for a new one.

    Raises Problem 422 for an id that names nobody, 409 for ids that name two children: joining
    either would put one child's words in another's case.
    """
    if asked.child_id is not None and await session.get(Child, asked.child_id) is None:
        raise Problem(422, "child.unknown", fields=[("body.child.id", "child.unknown")])
    named = await _named_ids(session, asked)
    if len(named) > 1:
        raise _ids_disagree()
    return await lock(session, Child, named.pop()) if named else None


async def _join(app: App, session: AsyncSession, child: Child, asked: Asked) -> None:
    """Let a later referral say what it says about a known child."""
    facts = facts_of(child)
    locality = asked.locality if asked.locality_known else None
    await change_child(app, session, child, facts.after_referral(asked.said, locality), asked.by)
    if facts.identity_in_doubt(asked.said):
        await ask(app, session, Question("identity", child.id, (str(child.version),)))


async def _keep_external_ids(session: AsyncSession, child_id: str, asked: Asked) -> None:
    """Keep ids that are new; in one order, so that two referrals never wait for each other.

    Raises LostRaceError where one has become another child's since it was looked for.
    """
    for system, value in sorted(asked.external_ids.items()):
        known = await session.get(ExternalId, (system, value))
        if known is None:
            session.add(ExternalId(system=system, value=value, child_id=child_id))
            await session.flush()
        elif known.child_id != child_id:
            raise LostRaceError


async def _episode(
    app: App, session: AsyncSession, child: Child, asked: Asked, referral_id: str
) -> Episode:
    """Return the child's episode with this start, made and told to others where it is new (R01)."""
    times = asked.times
    found: Episode | None = await session.scalar(
        select(Episode).where(
            Episode.child_id == child.id, Episode.missing_from == times.missing_from
        )
    )
    if found is not None:
        await _compare_times(app, session, found, asked)
        return found
    overlapping = await session.scalar(
        select(Episode.id).where(
            Episode.child_id == child.id,
            Episode.missing_from < times.returned_at,
            Episode.returned_at > times.missing_from,
        ).limit(1)
    )  # fmt: skip
    episode = Episode(
        id=app.ids.after("EP", child.id, times.missing_from.isoformat()),
        child_id=child.id, referral_id=referral_id, locality=asked.locality,
        setting=asked.setting, legal_status=child.legal_status,
        responsible_la=child.responsible_la, missing_from=times.missing_from,
        returned_at=times.returned_at, reported_missing_at=times.reported_missing_at,
        grading=asked.grading, received_at=times.received_at,
        return_time_ambiguous="episode.returned_at" in asked.ambiguous,
    )  # fmt: skip
    session.add(episode)
    await session.flush()
    if overlapping is not None:
        await ask(app, session, Question("overlap", child.id, (episode.id, overlapping)))
    await emit(
        session, _referred(app, episode, hosted=child.host_la not in {None, child.responsible_la})
    )
    await look_for_patterns(app, session, episode, asked.rules.rules)
    return episode


def _referred(app: App, episode: Episode, hosted: bool) -> EpisodeReferred:
    return EpisodeReferred(
        id=app.ids.after("EV", "episode_referred", episode.id),
        occurred_at=episode.received_at,
        referral_id=episode.referral_id,
        child_id=episode.child_id,
        episode_id=episode.id,
        locality=episode.locality,
        setting=episode.setting,
        missing_from=episode.missing_from,
        returned_at=episode.returned_at,
        received_at=episode.received_at,
        return_time_ambiguous=episode.return_time_ambiguous,
        hosted=hosted,
    )


async def _compare_times(app: App, session: AsyncSession, episode: Episode, asked: Asked) -> None:
    """Ask a person where a second source gives another return: a running clock is not moved."""
    returned = asked.times.returned_at
    if returned != episode.returned_at:
        question = Question("return_differs", episode.child_id, (episode.id, returned.isoformat()))
        await ask(app, session, question)


async def _ask_people(
    app: App,
    session: AsyncSession,
    referral: Referral,
    asked: Asked,
    reasons: tuple[TriageReason, ...],
) -> None:
    """Leave questions that only a person can answer."""
    for reason in reasons:
        await ask(app, session, Question(reason, referral.child_id, (referral.id,)))
    if asked.ambiguous:
        question = Question("time_ambiguous", referral.child_id, (referral.episode_id,))
        await ask(app, session, question)


def _answer(referral: Referral) -> Taken:
    return Taken(
        referral_id=referral.id, child_id=referral.child_id, episode_id=referral.episode_id,
        state=referral.state,
    )  # fmt: skip
