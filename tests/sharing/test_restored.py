"""After a loss: the ledger reaches what others hold, numbers go on, two people answer for it."""

import io
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey
from sqlalchemy import insert, select

from contracts import ledger as form
from homeward.ledger_check import Checkpoint, WrongError, check
from messaging.database import Database
from messaging.ids import Ids
from messaging.reread import Reread
from services.sharing import bringing_back, ending, ledger, numbers, outside
from services.sharing.checkpoints import Signer, entries_after, make_checkpoint
from services.sharing.ending import NotInOrderError, Person, SecondPersonError
from services.sharing.ledger_tables import ENTRIES, HEAD
from services.sharing.outside import Held, NotOursError
from services.sharing.quarantine import BEHIND, RESTORED, begin, under_way
from services.sharing.quarantine_tables import WAITING, ReadOutside
from services.sharing.since_backup import withdrawals
from services.sharing.tables import AgreementLine, Base, Child, Partner, Release

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), "ledger-1")
STRANGER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))), "ledger-1")
POLICE = "northshire-police"
DPO, DSL, MANAGER = Person("P-1", "dpo"), Person("D-1", "dsl"), Person("M-1", "manager")


class Site:
    """The database of one `sharing`."""

    def __init__(self, db, folder) -> None:
        self.db = db
        self.app = SimpleNamespace(
            db=db,
            clock=SimpleNamespace(now=lambda: NOON + timedelta(hours=2)),
            ids=Ids(bytes(range(32))),
            state={"ledger_signer": Reread("ledger_key", lambda: SIGNER)},
            settings=SimpleNamespace(ledger_key=folder / "ledger.jwk.json"),
        )

    async def note(self, kind="decision", **body):
        async with self.db.writing() as session:
            await ledger.append(session, kind, body or {"decision": "deny"}, NOON)

    async def lines(self, after=0):
        async with self.db.reading() as session:
            return [
                {**row._mapping, "body": json.loads(row.body)}
                async for row in entries_after(session, after)
            ]

    async def checkpoint(self):
        return await make_checkpoint(self.db, SIGNER, NOON)

    async def verified(self, held=None):
        """Return what a verifier with a public key says: how many entries, or what is wrong."""
        lines = [*await self.lines(), await self.checkpoint()]
        data = b"".join(form.canonical(line) + b"\n" for line in lines)
        stated = Checkpoint(held["seq"], held["hash"], held["at"], held["kid"]) if held else None
        keys = {SIGNER.kid: SIGNER._key.public_key()}
        try:
            return check(io.BytesIO(form.HEADER + b"\n" + data), keys, stated).seq
        except WrongError as error:
            return str(error)

    async def do(self, step, *args, **more):
        """Take one step of the quarantine that is under way."""
        async with self.db.writing() as session:
            return await step(session, await under_way(session), *args, **more)

    async def weigh(self, *checkpoints):
        await self.do(lambda session, found: outside.weigh(self.app, session, found, checkpoints))

    async def asked(self, *held, highest=0, listed=False, key=POLICE):
        async def take(session, found):
            partner = await session.get(Partner, key)
            await outside.take(
                self.app, session, found, partner, held, highest=highest, listed=listed
            )

        await self.do(take)

    async def missing(self):
        return [code for _, code in await self.do(ending.missing)]

    async def confirm(self, *seqs, who=DPO):
        await self.do(ending.confirm, who, seqs=set(seqs), on_paper=0, at=NOON)

    async def ends(self, who):
        return await self.do(lambda session, found: ending.end(self.app, session, found, who))

    async def release(self, release_id):
        async with self.db.reading() as session:
            return await session.get(Release, release_id)

    async def permit(self, release_id, **changes):
        async with self.db.writing() as session:
            if await session.get(Child, "C-1") is None:
                session.add(Child(id="C-1", locality="northshire", facts={}, dirty=False))
            session.add(a_release(release_id, **changes))


def a_release(release_id, **changes):
    usual = {
        "id": release_id,
        "decision_id": "D-1",
        "child_id": "C-1",
        "episode_id": "E-1",
        "item_id": f"I-{release_id}",
        "item_version": 1,
        "category": "push_pull",
        "recipient": POLICE,
        "partner_key": POLICE,
        "epoch": 1,
        "recipient_version": 1,
        "policy_version": "1",
        "policy_digest": "d",
        "state": "queued",
        "content": {"item": {}},
        "permitted_at": NOON,
    }
    return Release(**usual | changes)


@pytest.fixture
async def site(database_url, tmp_path):
    """A restored database with one partner, whose next number is 3, and two entries."""
    db = Database(database_url)
    async with db.writing() as session:
        await (await session.connection()).run_sync(Base.metadata.create_all)
        await session.execute(insert(HEAD), [{"id": 1, "seq": 0, "hash": form.GENESIS}])
        session.add(
            Partner(
                key=POLICE, type="police", nkey="U", jwk={}, next_number=3, added_at=NOON
            )
        )  # fmt: skip
    made = Site(db, tmp_path)
    await made.note()
    await made.note()
    async with db.writing() as session:
        await begin(session, RESTORED, NOON, NOON - timedelta(hours=1))
    yield made
    await db.dispose()


@pytest.fixture
async def before_loss(tmp_path):
    """The ledger as it had gone on after the backup, until it was lost: five entries."""
    db = Database(f"sqlite:///{tmp_path}/lost.sqlite")
    async with db.writing() as session:
        await (await session.connection()).run_sync(Base.metadata.create_all)
        await session.execute(insert(HEAD), [{"id": 1, "seq": 0, "hash": form.GENESIS}])
    yield Site(db, tmp_path)
    await db.dispose()


async def went_on(site, before_loss, *notes):
    """Give `before_loss` the restored entries and what came after them."""
    lines = await site.lines()
    async with before_loss.db.writing() as session:
        rows = [{**line, "body": form.canonical(line["body"]).decode()} for line in lines]
        await session.execute(insert(ENTRIES), rows)
        await session.execute(HEAD.update().values(seq=lines[-1]["seq"], hash=lines[-1]["hash"]))
    for kind, body in notes or [("decision", {"decision": "deny"})] * 3:
        await before_loss.note(kind, **body)
    return await before_loss.checkpoint()


async def brought_back(site, lines, checkpoint):
    async def bring(session, found):
        await bringing_back.take_page(session, lines)
        await bringing_back.put_on_chain(session, checkpoint)

    await site.do(bring)


# The ledger


async def test_what_is_recorded_meanwhile_waits_beside_the_chain(site):
    await site.note("withdrawal", child_id="C-1")

    assert len(await site.lines()) == 2
    async with site.db.reading() as session:
        [row] = (await session.execute(select(WAITING))).all()
    assert (row.kind, "C-1" in row.body) == ("withdrawal", False)


async def test_entries_come_back_from_an_export_exactly_and_what_waited_follows(site, before_loss):
    held = await went_on(site, before_loss)
    await site.note("decision", decision="allow")
    await site.asked()
    await site.weigh(held)
    assert "ledger.entries_missing" in await site.missing()

    await brought_back(site, (await before_loss.lines())[2:], held)
    assert await site.lines() == await before_loss.lines()

    await site.confirm()
    assert await site.ends(DPO) is False
    assert await site.ends(MANAGER) is True
    kinds = [line["kind"] for line in await site.lines(5)]
    assert kinds == ["quarantine", "decision", *["quarantine"] * 3]
    assert await site.verified(held) == 5 + len(kinds)


async def test_an_entry_that_was_changed_outside_is_not_taken(site, before_loss):
    held = await went_on(site, before_loss)
    lines = (await before_loss.lines())[2:]
    lines[1] = lines[1] | {"body": {"decision": "allow"}}

    with pytest.raises(bringing_back.UnfitPageError, match="entry 4"):
        await brought_back(site, lines, held)
    assert len(await site.lines()) == 2


async def test_without_the_checkpoint_over_the_last_of_them_none_is_taken(site, before_loss):
    held = await went_on(site, before_loss)
    lines = (await before_loss.lines())[2:4]

    with pytest.raises(bringing_back.UnfitPageError):
        await brought_back(site, lines, held)
    assert len(await site.lines()) == 2


async def test_a_checkpoint_of_another_key_counts_for_nothing(site):
    stated = form.checkpoint(9, "0" * 64, "x", "ledger-1", STRANGER.sign(9, "0" * 64, "x"))

    with pytest.raises(NotOursError):
        await site.weigh(stated)


async def test_a_key_that_replaced_ours_after_the_backup_counts_once_it_is_put_beside_ours(
    site, tmp_path
):
    other = Signer(STRANGER._key, "ledger-2")
    held = form.checkpoint(9, "0" * 64, "x", "ledger-2", other.sign(9, "0" * 64, "x"))
    with pytest.raises(NotOursError):
        await site.weigh(held)

    jwk = OKPKey.import_key(STRANGER._key).as_dict(private=False)
    (tmp_path / "ledger.jwks.json").write_text(json.dumps({"keys": [jwk | {"kid": "ledger-2"}]}))
    await site.weigh(held)

    assert "ledger.entries_missing" in await site.missing()


async def test_two_people_record_by_name_what_nobody_has_any_more(site, before_loss):
    held = await went_on(site, before_loss)
    await site.asked()
    await site.weigh(held)
    with pytest.raises(NotInOrderError):
        await site.confirm()
    with pytest.raises(NotInOrderError):
        await site.do(ending.state_loss, DPO, 3, 4)

    await site.do(ending.state_loss, DPO, 3, 5)
    with pytest.raises(SecondPersonError):
        await site.do(ending.state_loss, Person("P-1", "dsl"), 3, 5)
    assert "ledger.entries_missing" in await site.missing()
    await site.do(ending.state_loss, DSL, 3, 5)

    await site.confirm()
    await site.ends(DSL)
    await site.ends(DPO)
    lost = next(line for line in await site.lines() if line["body"].get("action") == "lost")
    assert (lost["body"]["first"], lost["body"]["last"]) == (3, 5)
    assert lost["body"]["digest"] == held["hash"]
    assert await site.verified() == len(await site.lines())
    assert "lost" in await site.verified(held)
    assert f"entry {lost['seq']} records it" in await site.verified(held)


async def test_a_checkpoint_that_contradicts_the_ledger_is_never_passed_over(site):
    await site.asked()
    await site.weigh(form.checkpoint(2, "0" * 64, "x", "ledger-1", SIGNER.sign(2, "0" * 64, "x")))

    assert await site.missing() == ["ledger.other_chain", "withdrawals.not_confirmed"]


async def test_after_a_recorded_loss_checkpoints_of_what_was_lost_do_not_stop_the_next_time(
    site, before_loss
):
    held = await went_on(site, before_loss)
    await site.asked()
    await site.weigh(held)
    for who in (DPO, DSL):
        await site.do(ending.state_loss, who, 3, 5)
    await site.confirm()
    for who in (DPO, DSL):
        await site.ends(who)
    async with site.db.writing() as session:
        await begin(session, BEHIND, NOON)
    await site.asked()
    await site.weigh(held)

    assert await site.missing() == ["withdrawals.not_confirmed"]


# Withdrawals


async def test_a_withdrawal_that_came_back_is_matched_to_its_child_and_has_to_be_entered(
    site, before_loss
):
    await site.permit("R-1")
    told = {"recipients": "all", "epoch": 7, "occurred_at": NOON, "cancelled": ["R-1"]}
    held = await went_on(
        site,
        before_loss,
        ("withdrawal", {"child_id": "C-1"} | told),
        ("withdrawal", {"child_id": "C-1", "action": "answered", "epoch": 7, "left": []}),
        ("withdrawal", {"child_id": "C-2", "recipients": "some", "epoch": 3, "cancelled": []}),
    )
    await site.asked()
    await site.weigh(held)
    await brought_back(site, (await before_loss.lines())[2:], held)
    found = await site.do(withdrawals)
    assert [(one.seq, one.child_id, one.entered) for one in found] == [
        (3, "C-1", False),
        (5, None, False),
    ]

    with pytest.raises(NotInOrderError) as refused:
        await site.confirm(3, 5)
    assert refused.value.missing == [("withdrawals.3", "withdrawal.not_entered")]
    async with site.db.writing() as session:
        session.add(
            AgreementLine(
                child_id="C-1", status="withdrawn", by="child", consequences_explained=True,
                occurred_at=NOON, recorded_at=NOON, recorded_by="W-1", role="practitioner",
            )
        )  # fmt: skip
    with pytest.raises(NotInOrderError) as refused:
        await site.confirm(3)
    assert refused.value.missing == [("withdrawals.5", "withdrawal.not_looked_at")]
    await site.confirm(3, 5)


@pytest.mark.parametrize("action", ["revoked", "keys_replaced"])
async def test_a_partner_that_was_revoked_after_the_backup_has_to_be_again(
    site, before_loss, action
):
    note = {"recipient": POLICE, "action": action, "by": "O-1"}
    held = await went_on(site, before_loss, ("partner", note))
    await site.asked()
    await site.weigh(held)
    await brought_back(site, (await before_loss.lines())[2:], held)
    await site.confirm()
    assert await site.missing() == [f"partner.{action}_since"]

    await site.note("partner", **note)
    assert await site.missing() == []


# Numbers


async def test_every_partner_is_asked_before_anything_else(site):
    assert "partner.not_asked" in await site.missing()
    with pytest.raises(NotInOrderError):
        await site.confirm()
    with pytest.raises(NotInOrderError):
        await site.ends(DPO)


async def ended(site):
    await site.confirm()
    await site.ends(DPO)
    await site.ends(DSL)
    async with site.db.reading() as session:
        partner = await session.get(Partner, POLICE)
        rows = await session.execute(
            select(Release.number, Release.state).where(Release.child_id == numbers.LOST)
        )
        return partner.next_number, {int(number): str(state) for number, state in rows}


async def test_numbers_go_on_after_those_read_and_voids_take_those_that_nobody_has(site):
    await site.asked(
        Held(3, "R-1", False), Held(5, "R-9", True), Held(6, "R-2", False), listed=True
    )

    assert await ended(site) == (7, {4: "withdrawn"})


async def test_a_partner_that_knows_its_highest_number_alone_is_believed(site):
    await site.asked(highest=6)

    assert await ended(site) == (7, {})


async def test_a_number_that_the_ledger_tells_of_is_not_given_again(site, before_loss):
    note = {"release_id": "R-1", "recipient": POLICE, "number": 3}
    held = await went_on(site, before_loss, ("delivered", note))
    await site.asked(listed=True)
    await site.weigh(held)
    await brought_back(site, (await before_loss.lines())[2:], held)

    assert await ended(site) == (4, {3: "withdrawn"})


async def test_what_a_partner_has_read_is_known_as_delivered_and_not_sent_again(site):
    await site.permit("R-1")
    await site.permit("R-2", state="sent", number=2, sealed=b"x", stream_seq=2, content=None)
    await site.asked(Held(3, "R-1", False), Held(2, "R-2", False), listed=True)

    first, second = await site.release("R-1"), await site.release("R-2")
    assert (first.state, first.number, first.content) == ("delivered", 3, None)
    assert (second.state, second.number, second.sealed) == ("delivered", 2, None)


async def test_what_was_erased_unread_after_the_backup_stays_erased(site):
    await site.permit("R-2", state="sent", number=2, sealed=b"x", stream_seq=2, content=None)
    await site.asked(Held(2, "R-2", True), listed=True)

    found = await site.release("R-2")
    assert (found.state, found.sealed) == ("void", None)


async def test_what_was_read_and_is_lost_is_remembered_for_when_it_is_permitted_again(site):
    await site.asked(Held(3, "R-7", False), listed=True)
    async with site.db.reading() as session:
        [row] = (await session.scalars(select(ReadOutside))).all()
        assert (row.release_id, row.number) == ("R-7", 3)
        assert set(await outside.read_by(session, [POLICE])) == {"R-7"}


# Two people


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (DPO, DPO),
        (DPO, Person("P-1", "dsl")),
        (DPO, Person("P-2", "dpo")),
        (DSL, MANAGER),
    ],
)
async def test_it_takes_the_dpo_and_another_person_who_answers_for_the_child(site, first, second):
    await site.asked()
    await site.confirm()
    assert await site.ends(first) is False

    with pytest.raises(SecondPersonError):
        await site.ends(second)
    async with site.db.reading() as session:
        assert await under_way(session) is not None


async def test_a_partner_that_comes_later_with_more_undoes_what_was_confirmed(site):
    await site.asked()
    await site.confirm()
    await site.ends(DPO)
    await site.asked(Held(3, "R-1", False), listed=True)

    assert await site.missing() == ["withdrawals.not_confirmed"]
