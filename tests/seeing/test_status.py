"""`homeward status` says on one screen what the dashboard shows, and bears what is away."""

from homeward import seeing
from homeward.home import SERVICES

FEED = "homeward_feed_unacknowledged"


def a_scrape(**changes: float) -> seeing.Scrapes:
    """Return scrapes of a home in good order, with what `changes`."""
    shared = {"homeward_outbox_oldest_seconds": 0.0, "homeward_dead_letters_waiting": 0.0}
    sharing = {
        "homeward_urgent_holds": 0.0, "homeward_urgent_holds_escalated": 0.0,
        "homeward_urgent_hold_oldest_seconds": 0.0, "homeward_ledger_entries": 12.0,
        "homeward_ledger_unsigned_entries": 0.0, "homeward_ledger_unsigned_oldest_seconds": 0.0,
        "homeward_quarantine": 0.0,
    }  # fmt: skip
    plain = {**shared, **sharing, **changes}
    samples = [(name, {}, value) for name, value in plain.items()]
    samples += [
        ("homeward_pending", {"kind": "outbox"}, 0.0),
        ("homeward_dependency_up", {"name": "policy"}, changes.get("policy", 1.0)),
        ("homeward_policy_info", {"policy_version": "2026.11.1"}, 1.0),
        (FEED, {"partner": "northshire-police"}, 3.0),
        (f"{FEED}_oldest_seconds", {"partner": "northshire-police"}, changes.get("feed", 60.0)),
        ("homeward_clocks", {"clock": "contact", "state": "near"}, 1.0),
        ("homeward_clocks", {"clock": "contact", "state": "missed"}, changes.get("missed", 0.0)),
        ("homeward_tasks_overdue", {"kind": "hold", "owner": "dsl"}, 0.0),
    ]
    return dict.fromkeys(SERVICES, samples)


def needing(scrapes: seeing.Scrapes) -> list[str]:
    lines = seeing.lines(seeing.summary(scrapes))
    return [line for line in lines if line.startswith("!")]


def test_a_home_in_good_order_needs_nobody():
    assert needing(a_scrape()) == []


def test_what_needs_somebody_is_marked_and_said():
    wrong = a_scrape(
        missed=2.0, homeward_urgent_holds=1.0, homeward_urgent_hold_oldest_seconds=900.0,
        feed=200_000.0, homeward_outbox_oldest_seconds=90.0, policy=0.0,
        homeward_ledger_unsigned_oldest_seconds=1800.0, homeward_dead_letters_waiting=1.0,
        homeward_quarantine=1.0,
    )  # fmt: skip
    said = "\n".join(needing(wrong))

    for words in ("2 missed", "1 open, the oldest 15 min", "northshire-police for 2 d",
                  "oldest 90 s", "gives no answer: nothing leaves", "5 dead letters",
                  "until two people end it"):  # fmt: skip
        assert words in said, said


def test_the_same_is_there_for_programs():
    found = seeing.summary(a_scrape())

    assert found["clocks"] == {"contact": {"near": 1, "missed": 0, "overdue_s": None}}
    assert found["urgent_holds"] == {"open": 0, "escalated": 0, "oldest_s": 0}
    assert found["feeds"] == {"northshire-police": {"unacknowledged": 3, "oldest_s": 60}}
    assert found["outbox"]["referral"] == {"waiting": 0, "oldest_s": 0}
    assert found["policy"] == {"answers": True, "version": "2026.11.1", "no_answers": 0}
    assert found["ledger"] == {"entries": 12, "unsigned": 0, "unsigned_s": 0}
    assert found["dead_letters"] == dict.fromkeys(SERVICES, 0)
    assert found["quarantine"] is False


def test_what_only_a_service_that_is_away_knows_is_not_known_and_not_zero():
    scrapes = {**a_scrape(), "sharing": None}
    found = seeing.summary(scrapes)

    assert found["urgent_holds"]["open"] is None
    assert found["quarantine"] is None
    assert found["dead_letters"]["sharing"] is None
    assert found["dead_letters"]["referral"] == 0
    assert any("? open" in line for line in seeing.lines(found))


def test_what_a_service_cannot_look_up_is_not_known_either():
    found = seeing.summary(a_scrape(homeward_urgent_holds=float("nan")))

    assert found["urgent_holds"]["open"] is None


def test_a_home_that_is_down_is_said_in_good_time():
    found = seeing.summary(seeing.scrape(dict.fromkeys(SERVICES)))

    assert found["clocks"] == {}
    assert all("?" in line or "not known" in line for line in seeing.lines(found))
