"""When facts change: decisions are made again where they must be, and nothing is released twice."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from support.running import eventually
from support_gate import NOON, an_item, judged

# the statements are the same on Postgres, where test_gate.py runs; starting twice is slow
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def agreed_case(a_gate, **child):
    """A child who agrees that the council hears everything, and a school that a worker tells."""
    case = await a_gate()
    await case.clock(NOON)
    await case.partner("northshire-council", "childrens_services")
    await case.referred(**child)
    await case.add("school", "school_dsl")
    await case.interviewed(an_item("IT-n", "narrative"), an_item("IT-w", "wishes"))
    await case.judges("practitioner", judged("competence", "competent"))
    await case.no_harm()
    await case.judges(
        "dsl",
        judged("recipient_alleged_perpetrator", "no", recipients=["school"]),
        judged("connected_to_perpetrator", "no", recipients=["school"]),
    )
    await case.agrees((None, "northshire-council", "agreed"), (None, "school", "agreed"))
    await case.settled()
    return case


async def test_a_withdrawal_cancels_what_has_not_left_and_names_what_has(a_gate):
    case = await agreed_case(a_gate)
    before = await case.releases()
    told = before["school", "IT-w"]
    await case.do("POST", f"/releases/{told['id']}/delivered", {"how": "in_person"})

    answer = await case.do("POST", "+/withdrawals", {"recipients": ["school"]})

    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert [one["release_id"] for one in body["cancelled"]] == [before["school", "IT-n"]["id"]]
    assert body["left"] == [{"release_id": told["id"], "recipient": "school", "number": None}]
    after = await case.releases()
    assert after["school", "IT-n"]["state"] == "cancelled"
    assert (await case.decisions())["school", "IT-n"]["decision"] == "deny"
    assert [t for t in await case.tasks("practitioner") if t["recipient"] == "school"] == []

    unknown = await case.do("POST", "+/withdrawals", {"recipients": ["schol"]})
    assert unknown.status_code == 422
    assert unknown.json()["errors"] == [{"field": "recipients.0", "code": "recipient.unknown"}]


async def test_what_a_worker_was_to_tell_goes_by_feed_once_there_is_one(a_gate):
    case = await agreed_case(a_gate)
    told = (await case.releases())["school", "IT-n"]
    assert told["state"] == "tell"

    await case.partner("school", "school_dsl", area=None)
    await case.service.at_rest()

    sent = (await case.releases())["school", "IT-n"]
    assert (sent["id"], sent["state"]) == (told["id"], "sent")
    assert [t for t in await case.tasks("practitioner") if t["recipient"] == "school"] == []


async def test_a_report_that_is_sent_twice_is_one_receipt(a_gate):
    case = await agreed_case(a_gate)
    one = (await case.releases())["school", "IT-n"]
    body = {"how": "telephone", "occurred_at": NOON.isoformat()}

    answers = [await case.do("POST", f"/releases/{one['id']}/delivered", body) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    entries = await case.do("GET", "/ledger?limit=1000", role="dpo")
    assert entries.text.count('"kind":"receipt"') == 1


async def test_agreeing_again_after_a_withdrawal_makes_a_new_release(a_gate):
    case = await agreed_case(a_gate)
    first = (await case.releases())["school", "IT-n"]
    await case.do("POST", "+/withdrawals", {"recipients": "all"})
    await case.settled()
    await case.agrees((None, "school", "agreed"))

    again = (await case.releases())["school", "IT-n"]
    assert again["state"] == "tell"
    assert again["id"] != first["id"]


async def test_nothing_is_released_twice_for_the_same_facts(a_gate):
    case = await agreed_case(a_gate)
    await case.service.at_rest()
    before = {key: one["id"] for key, one in (await case.releases()).items()}
    decisions = {key: one["id"] for key, one in (await case.decisions()).items()}

    await case.agrees((None, "northshire-council", "agreed"))
    await case.judges("practitioner", judged("competence", "competent"))

    assert {key: one["id"] for key, one in (await case.releases()).items()} == before
    assert {key: one["id"] for key, one in (await case.decisions()).items()} == decisions


async def test_a_new_version_of_an_item_is_proposed_afresh(a_gate):
    from contracts.interview import ItemAmended, ItemNamed

    case = await agreed_case(a_gate)
    first = (await case.releases())["northshire-council", "IT-n"]
    case.peers.interviews["IN-1"][0] |= {"version": 2}
    case.peers.parts["IT-n"] = {"text": "Zarquon, corrected"}
    await case.told(
        ItemAmended(
            id="EV-amended",
            occurred_at=NOON,
            interview_id="IN-1",
            child_id="CH-1",
            episode_id="EP-1",
            item=ItemNamed(item_id="IT-n", version=2, category="narrative"),
        )
    )

    second = (await case.releases())["northshire-council", "IT-n"]
    assert second["id"] != first["id"]
    assert second["item_version"] == 2


async def test_the_outcome_has_one_item_and_a_new_version_when_it_changes(a_gate):
    case = await agreed_case(a_gate)
    await case.outcome(version=1, outcome="declined_by_child", rhi_outcome=None)
    await case.outcome(version=2)
    await case.outcome(version=1, id="EV-late", outcome="no_contact", rhi_outcome=None)

    decided = (await case.decisions())["northshire-council", case.outcome_id()]
    assert decided["item_version"] == 2


async def test_at_18_a_yes_given_before_stays_where_it_is(a_gate):
    case = await agreed_case(a_gate, date_of_birth="2008-12-15")
    birthday = datetime(2026, 12, 15, tzinfo=UTC)
    assert (await case.decisions())["school", "IT-n"]["decision"] == "allow_redacted"

    await case.clock(birthday - timedelta(seconds=30))
    assert (await case.decisions())["school", "IT-n"]["decision"] == "allow_redacted"
    await case.clock(birthday)

    assert (await case.decisions())["school", "IT-n"]["decision"] == "deny"
    assert (await case.releases())["school", "IT-n"]["state"] == "cancelled"


async def test_a_child_who_moves_gets_another_authority_and_loses_the_first(a_gate):
    case = await agreed_case(a_gate)
    await case.partner("eastvale-council", "childrens_services", area="eastvale")
    await case.outcome()
    assert ("eastvale-council", case.outcome_id()) not in await case.decisions()

    await case.child_changes(2, responsible_la="eastvale")
    await case.settled()

    decided = await case.decisions()
    assert decided["eastvale-council", case.outcome_id()]["rule_ids"] == ["CSC-01"]
    assert decided["eastvale-council", case.outcome_id()]["decision"] == "allow"
    states = {
        r["state"] for (who, _), r in (await case.releases()).items() if who == "northshire-council"
    }
    assert states <= {"cancelled", "sent", "delivered", "void", "superseded"}


async def test_the_host_authority_is_a_recipient_and_its_contract_team_is_not(a_gate):
    case = await a_gate()
    await case.clock(NOON)
    await case.partner("la-a-council", "childrens_services", area="la-a")
    await case.partner("la-b-council", "childrens_services", area="la-b")
    await case.partner("la-c-council", "childrens_services", area="la-c")
    await case.partner("la-a-contracts", "commissioner", area="la-a")
    await case.partner("la-b-contracts", "commissioner", area="la-b")
    await case.referred(responsible_la="la-a", host_la="la-b", legal_status="looked_after")
    await case.outcome()
    await case.add("la-c-council", "childrens_services", role="responsible_la")

    decided = {
        who: (d["decision"], d["rule_ids"]) for (who, _), d in (await case.decisions()).items()
    }

    assert decided.pop("self")
    assert decided == {
        "la-a-council": ("allow", ["CSC-01"]),
        "la-b-council": ("defer", ["CSC-01"]),
        "la-c-council": ("deny", ["HD3", "CSC-01"]),
        "la-a-contracts": ("allow_redacted", ["COM-01"]),
    }


async def test_while_referral_is_away_nothing_is_decided_and_then_it_is(a_gate):
    case = await a_gate()
    await case.clock(NOON)
    await case.partner("northshire-council", "childrens_services")
    case.peers.away = True
    await case.referred()
    await case.outcome()

    assert (await case.service.pending())["undecided"] == 1
    case.peers.away = False
    decided = await case.decisions()
    assert decided["northshire-council", case.outcome_id()]["decision"] == "allow"


async def test_a_partner_that_is_added_later_gets_what_is_permitted(a_gate):
    case = await a_gate()
    await case.clock(NOON)
    await case.referred()
    await case.outcome()
    await case.settled()
    await case.partner("northshire-council", "childrens_services")

    async def proposed() -> bool:
        return ("northshire-council", case.outcome_id()) in await case.decisions()

    await eventually(proposed)


async def test_a_decision_can_be_asked_again_from_its_snapshot(a_gate, engine):
    from services.sharing.domain.document import digest, document
    from services.sharing.domain.facts import of_snapshot
    from services.sharing.tables import FactsSnapshot

    case = await agreed_case(a_gate)
    here = case.app.state["gate"]
    for decided in (await case.decisions()).values():
        async with case.app.db.reading() as session:
            row = await session.get(FactsSnapshot, ("CH-1", decided["epoch"]))
        assert "Zarquon" not in str(row.facts)
        facts = of_snapshot(row.facts)
        item = next(i for i in facts.items if i.id == decided["item_id"])
        recipient = next(r for r in facts.recipients if r.key == decided["recipient"])
        asked = document(
            facts, item, recipient, here.data.types[recipient.type], here.data.law, NOON
        )
        answer = await here.policy.decide(asked)
        assert (answer.decision, list(answer.rule_ids)) == (
            decided["decision"],
            decided["rule_ids"],
        )
        assert digest(asked)


async def test_an_answer_from_before_a_withdrawal_permits_nothing_after_it(a_gate):
    case = await agreed_case(a_gate)
    policy = case.app.state["gate"].policy
    asked, go_on, real = asyncio.Event(), asyncio.Event(), policy.decide

    async def slow(document):
        answer = await real(document)
        asked.set()
        await go_on.wait()
        return answer

    policy.decide = slow
    await case.interviewed(an_item("IT-2", "wishes"), interview_id="IN-2")
    await asked.wait()
    answer = await case.do("POST", "+/withdrawals", {"recipients": "all"})
    assert answer.status_code == 200
    policy.decide = real
    go_on.set()

    released = [key for key in await case.releases() if key == ("school", "IT-2")]
    assert released == []
    assert (await case.decisions())["school", "IT-2"]["decision"] == "deny"


async def test_what_a_change_does_not_touch_is_not_asked_about_again(a_gate, monkeypatch):
    monkeypatch.setattr("services.sharing.unrecorded.LASTS", timedelta(minutes=1))
    case = await agreed_case(a_gate)
    policy = case.app.state["gate"].policy
    answered, go_on, real = asyncio.Event(), asyncio.Event(), policy.decide
    asked = []

    async def noted(document):
        answer = await real(document)
        if document:  # else it is only seen whether the engine answers
            asked.append((document["recipient"]["id"], document["item"]["id"]))
            answered.set()
            await go_on.wait()
        return answer

    policy.decide = noted
    await case.interviewed(an_item("IT-2", "wishes"), interview_id="IN-2")
    await answered.wait()
    await case.outcome()
    go_on.set()
    decided, released = await case.decisions(), await case.releases()

    assert {item for _, item in asked} == {"IT-2", case.outcome_id()}
    assert len(asked) == len(set(asked))
    assert decided["school", "IT-2"]["epoch"] == decided["school", case.outcome_id()]["epoch"]
    assert released["school", "IT-2"]["state"] == "tell"
    assert [item for item, _ in case.peers.asked].count("IT-2") == 1


async def test_words_stay_nowhere_once_a_recipient_has_them(a_gate, tmp_path):
    case = await agreed_case(a_gate)
    for (who, _), one in (await case.releases()).items():
        if who in {"school", "self"}:
            await case.do("POST", f"/releases/{one['id']}/delivered", {"how": "in_person"})
    await case.service.at_rest()

    async with case.app.db.reading() as session:
        kept = (await session.execute(text("SELECT content FROM release"))).scalars().all()
        tables = ("decision", "facts_snapshot", "item", "ledger_entry", "outbox", "task")
        told = [
            str((await session.execute(text(f"SELECT * FROM {name}"))).all())  # noqa: S608
            for name in tables
        ]
    assert set(kept) <= {None, "null"}
    assert "Zarquon" not in "".join(told)
