"""A case as the gate sees it: what other services tell it and what people do, in few words."""

from datetime import UTC, datetime, timedelta

from joserfc.jwk import OKPKey
from support.running import eventually

from contracts.interview import InterviewRecorded, ItemNamed
from contracts.referral import ChildChanged, EpisodeReferred
from contracts.scheduling import AttemptMade, OutcomeReported

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def a_child(**changes) -> dict:
    """What `referral` says about a verified child of 15 at home."""
    return {
        "id": "CH-1",
        "version": 1,
        "given_name": "Zarquon-given",
        "family_name": "Zarquon-family",
        "date_of_birth": "2011-03-02",
        "identity_status": "verified",
        "legal_status": "home",
        "locality": "northshire",
        "responsible_la": "northshire",
        "host_la": None,
        "address_confidential": False,
        "channels": [],
    } | changes


def an_item(item_id: str, category: str, **changes) -> dict:
    """What `interview` says about an item: codes and facts."""
    return {
        "item_id": item_id,
        "version": 1,
        "episode_id": "EP-1",
        "category": category,
        "subject": "child",
        "provenance": "child_said",
        "verbatim": False,
        "third_parties": [],
        "counselling": False,
        "offence_data": False,
        "special": [],
        "facts": {},
        "event_at": None,
        "recorded_at": NOON.isoformat(),
    } | changes


def judged(name: str, value, **scope) -> dict:
    """One judgement as it is sent, with a reason that holds words."""
    return {"name": name, "value": value, "reason": "Zarquon-reason, in words"} | scope


class Case:
    """One running gate, the services around it, and a child."""

    def __init__(self, service, peers, nats) -> None:
        self.service, self.peers, self.nats = service, peers, nats
        self.app = service.app
        self.child_id = "CH-1"

    async def clock(self, now: datetime) -> None:
        answer = await self.service.call("PUT", "/clock", {"now": now.isoformat()})
        assert answer.status_code == 200, answer.text

    async def partner(self, key: str, kind: str, area="northshire", role=None) -> None:
        """Have ops register an agency of the area."""
        await self.nats.add_partner(key)
        jwk = OKPKey.generate_key("X25519", {"use": "enc"}).as_dict(private=False)
        body = {"key": key, "type": kind, "role": role, "area": area}
        public = {"nkey": self.nats.partners[key], "jwk": jwk}
        answer = await self.service.call("POST", "/partners", body | {"public": public})
        assert answer.status_code == 201, answer.text

    async def told(self, event) -> None:
        """Let an event of another service arrive, as if by the bus."""
        (subscription,) = self.app.subscriptions.of(event.subject)
        await subscription.handler(event, self.app)

    async def referred(self, episode_id="EP-1", **child) -> None:
        """A child is referred; a worker tries to reach them."""
        self.peers.children[self.child_id] = a_child(**child)
        await self.told(
            EpisodeReferred(
                id=f"EV-{episode_id}",
                occurred_at=NOON,
                referral_id="RF-1",
                child_id=self.child_id,
                episode_id=episode_id,
                locality="northshire",
                setting="home",
                missing_from=NOON - timedelta(days=3),
                returned_at=NOON - timedelta(days=2),
                received_at=NOON - timedelta(days=1),
            )
        )
        await self.told(
            AttemptMade(
                id=f"EV-attempt-{episode_id}",
                occurred_at=NOON,
                attempt_id="AT-1",
                episode_id=episode_id,
                child_id=self.child_id,
                worker="W-1",
                method="telephone",
                outcome="contact",
            )
        )

    async def outcome(self, version=1, **changes) -> None:
        """Scheduling reports how the offer ended."""
        await self.told(
            OutcomeReported(
                **{
                    "id": f"EV-outcome-{version}",
                    "occurred_at": NOON,
                    "episode_id": "EP-1",
                    "child_id": self.child_id,
                    "offer_id": "OF-1",
                    "outcome": "accepted",
                    "rhi_outcome": "completed_engaged",
                    "service_outcome": "accepted",
                    "final": True,
                    "offered_at": NOON,
                    "version": version,
                }
                | changes
            )
        )

    async def interviewed(self, *items: dict, interview_id="IN-1", parts=None) -> None:
        """An interview is recorded with these items; their words are what `parts` says."""
        self.peers.interviews[interview_id] = list(items)
        for one in items:
            self.peers.parts.setdefault(
                one["item_id"],
                parts
                or {
                    "text": "Zarquon-text, the child's own words",
                    "fields": {"codes": ["bored", "row"], "place_type": "public_place"},
                    "summary": "Zarquon-summary in two lines",
                    "extracts": ["Zarquon-extract"],
                },
            )
        await self.told(
            InterviewRecorded(
                id=f"EV-{interview_id}",
                occurred_at=NOON,
                interview_id=interview_id,
                child_id=self.child_id,
                episode_ids=("EP-1",),
                kind="interview",
                worker="W-1",
                started_at=NOON,
                ended_at=NOON,
                outcome="completed_engaged",
                items=tuple(
                    ItemNamed(item_id=i["item_id"], version=1, category=i["category"])
                    for i in items
                ),
            )
        )

    async def child_changes(self, version: int, **facts) -> None:
        self.peers.children[self.child_id] |= {"version": version} | facts
        await self.told(
            ChildChanged(
                id=f"EV-child-{version}",
                occurred_at=NOON,
                child_id=self.child_id,
                version=version,
            )
        )

    async def do(self, method: str, path: str, body=None, role="practitioner", sub="", **how):
        """Call the gate; a path that begins with + starts after the child's."""
        if path.startswith("+"):
            path = f"/children/{self.child_id}{path[1:]}"
        sub = sub or {"practitioner": "W-1"}.get(role, f"{role}-1")
        return await self.service.call(method, path, body, role=role, sub=sub, **how)

    async def add(self, key: str, kind: str, **more) -> None:
        body = {"type": kind, "channel_verified": True} | more
        answer = await self.do("PUT", f"+/recipients/{key}", body)
        assert answer.status_code == 200, answer.text

    async def agrees(self, *lines: tuple[str | None, str, str], explained=True, **more) -> None:
        """Lines are (category, recipient, status)."""
        items = [
            {"category": c, "recipient": r, "status": s, "consequences_explained": explained}
            for c, r, s in lines
        ]
        answer = await self.do("PUT", "+/agreement", {"by": "child", "items": items} | more)
        assert answer.status_code == 200, answer.text

    async def judges(self, role: str, *judgements: dict, **more) -> None:
        answer = await self.do("PUT", "+/judgements", {"judgements": list(judgements)} | more, role)
        assert answer.status_code == 200, answer.text

    async def no_harm(self) -> None:
        """The DSL sees no sign of harm, for everything that exists."""
        await self.judges("dsl", *(judged(g, False) for g in ("G2", "G3", "G4", "G5", "G6")))
        await self.judges("dsl", judged("child_alleged_perpetrator", "none"))

    async def settled(self) -> None:
        """Wait until the gate has decided about everything."""

        async def rests() -> bool:
            return (await self.service.pending())["undecided"] == 0

        await eventually(rests, 10, "not decided")

    async def decisions(self) -> dict[tuple[str, str], dict]:
        """Current decisions by (recipient, item)."""
        await self.settled()
        answer = await self.do("GET", "/decisions?current=true&limit=200", role="manager")
        return {(d["recipient"], d["item_id"]): d for d in answer.json()["items"]}

    async def releases(self) -> dict[tuple[str, str], dict]:
        """Latest release by (recipient, item)."""
        await self.settled()
        answer = await self.do("GET", "/releases?limit=200", role="manager")
        return {(r["recipient"], r["item_id"]): r for r in answer.json()["items"]}

    async def tasks(self, role: str, sub="") -> list[dict]:
        await self.settled()
        return (await self.do("GET", "/tasks", role=role, sub=sub)).json()["items"]

    def outcome_id(self) -> str:
        return self.app.ids.after("IT", "EP-1", "basic_outcome")
