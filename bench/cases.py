"""Children about whom everything is known and nothing decided, put into `sharing`'s database."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, insert

from homeward import enrolment
from homeward.home import Home
from services.sharing.tables import (
    AgreementLine,
    Base,
    Child,
    Episode,
    Item,
    Judgement,
    Recipient,
    WorkerOnCase,
)

AREA = "northshire"
PARTNERS = {
    f"{AREA}-police": ("police", "missing_unit"),
    f"{AREA}-childrens-services": ("childrens_services", "responsible_la"),
    f"{AREA}-commissioner": ("commissioner", "contract_team"),
}
CATEGORIES = ("push_pull", "wishes", "safety_plan")
NO_HARM = ("G2", "G3", "G4", "G5", "G6")


def register(home: Home) -> list[dict[str, Any]]:
    """Make the keys of the partners in a home that does not run yet; return their rows."""
    rows = []
    for key, (kind, role) in PARTNERS.items():
        folder = home.partner(key)
        folder.mkdir(parents=True, exist_ok=True)
        enrolment.make_keys(key, folder)
        public = json.loads((folder / f"{key}.public.json").read_text())
        area = {"area": AREA, "added_at": datetime.now(UTC), "next_number": 1, "stream_seq": 0}
        rows.append({"key": key, "type": kind, "role": role, **area}
                    | {name: public[name] for name in ("nkey", "jwk")})  # fmt: skip
    return rows


def child_rows(number: int, now: datetime, *, dirty: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of one child: an interview of three items, all agreed, no sign of harm."""
    child, episode, interview = f"CH-{number}", f"EP-{number}", f"IN-{number}"
    said = {"by": "W-1", "occurred_at": now, "recorded_at": now}
    return {
        "child": [
            {"id": child, "locality": AREA, "epoch": 3, "version": 1, "wanted_version": 1,
             "facts": {"identity_status": "verified", "legal_status": "home",
                       "address_confidential": False},
             "responsible_la": AREA, "host_la": None, "age": 15,
             "next_birthday_at": now + timedelta(days=100),
             "adult_at": now + timedelta(days=830), "dirty": dirty}
        ],
        "episode": [
            {"id": episode, "child_id": child, "setting": "home", "outcome_version": 0}
        ],
        "worker_on_case": [{"child_id": child, "worker": "W-1", "since": now}],
        "item": [
            {"id": f"IT-{number}-{place}", "child_id": child, "episode_id": episode,
             "interview_id": interview, "category": category, "version": 1,
             "facts": {"subject": "child", "provenance": "child_said", "verbatim": False,
                       "third_parties": [], "counselling": False, "offence_data": False,
                       "special": [], "facts": {"police_purpose": "prevention"}},
             "fields": None, "worker": "W-1", "event_at": None,
             "existed_at": now - timedelta(minutes=5)}
            for place, category in enumerate(CATEGORIES)
        ],
        "recipient": [
            {"child_id": child, "key": key, "type": kind, "role": role, "name": None, "pr": False,
             "lives_with_child": False, "channel_verified": True, "facts": {}, "version": 1,
             "partner_key": key, "added_by": None, "active": True}
            for key, (kind, role) in PARTNERS.items()
        ],
        "agreement_line": [
            {"child_id": child, "recipient": None, "category": None, "item_id": None,
             "status": "agreed", "consequences_explained": True, "recorded_by": "W-1",
             "role": "practitioner", **said, "by": "child"}
        ],
        "judgement": [
            {"child_id": child, "name": name, "value": value, "reason": "code.seen",
             "episode_id": None, "item_ids": None, "categories": None, "recipients": None,
             "role": "dsl", **said, "by": "dsl-1"}
            for name, value in [
                *((gate, False) for gate in NO_HARM),
                ("child_alleged_perpetrator", "none"),
                *(("recipient_alleged_perpetrator", "no"), ("connected_to_perpetrator", "no")),
                ("competence", "competent"),
            ]
        ],
    }  # fmt: skip


def put_partners(database: Path, partners: Sequence[dict[str, Any]]) -> None:
    """Put partners into a migrated SQLite file."""
    engine = create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        connection.execute(insert(Base.metadata.tables["partner"]), list(partners))
    engine.dispose()


def put_in(database: Path, partners: Sequence[dict[str, Any]], numbers: range) -> None:
    """Put partners and children into a migrated SQLite file; nothing is decided about them yet."""
    put_partners(database, partners)
    engine = create_engine(f"sqlite:///{database}")
    tables = (Child, Episode, WorkerOnCase, Item, Recipient, AgreementLine, Judgement)
    now = datetime.now(UTC)
    rows = [child_rows(number, now, dirty=False) for number in numbers]
    with engine.begin() as connection:
        for table in tables:
            name = table.__tablename__
            connection.execute(
                insert(Base.metadata.tables[name]), [row for one in rows for row in one[name]]
            )
    engine.dispose()
