"""S1, S4 and S5 end to end; each line is a fact of the worked case, from Europe/London to UTC."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from support.demo import Played

LA, POLICE, COMMISSIONER = (
    "northshire-childrens-services",
    "northshire-police",
    "northshire-commissioning",
)
TOLD = {"allow", "allow_redacted"}


def elapsed(clock: dict[str, Any]) -> timedelta:
    """Return how long a clock had run when it was met."""
    return datetime.fromisoformat(clock["met_at"]) - datetime.fromisoformat(clock["started_at"])


@pytest.mark.parametrize(
    ("of", "due", "after", "state"),
    [
        (("S1", "E1", "contact"), "2026-11-29T09:15:00Z", (23, 35), "met"),
        (("S1", "E1", "rhi"), "2026-11-30T22:40:00Z", (65, 50), "met"),
        (("S1", "E1", "follow_up_child"), "2026-12-07T17:20:00Z", (166, 40), "met"),
        (("S1", "E1", "follow_up_professional"), "2026-12-07T17:20:00Z", (184, 40), "late"),
        (("S4", "E1", "contact"), "2026-10-06T09:00:00Z", (6, 20), "met"),
        (("S4", "E1", "rhi"), "2026-10-07T01:30:00Z", (61, 30), "met"),
        (("S4", "E2", "contact"), "2026-11-05T11:00:00Z", (6, 30), "met"),
        (("S4", "E3", "contact"), "2026-12-03T12:00:00Z", (22, 0), "met"),
        (("S4", "E3", "rhi"), "2026-12-05T06:00:00Z", (57, 30), "met"),
        (("S5", "E1", "contact"), "2026-10-12T17:00:00Z", (16, 30), "met"),
        (("S5", "E1", "rhi"), "2026-10-14T12:00:00Z", (69, 30), "met"),
        (("S5", "E1", "forensic"), "2026-10-17T22:30:00Z", None, "met"),
    ],
)
def test_clocks_count_elapsed_time(
    played: Played, of: tuple[str, ...], due: str, after: Any, state: str
):
    found = played.clock(*of)

    assert datetime.fromisoformat(found["due_at"]) == datetime.fromisoformat(due)
    assert found["state"] == state
    if after:
        assert elapsed(found) == timedelta(hours=after[0], minutes=after[1])


class TestS1:
    """Weekend clock, plain case."""

    def test_childrens_services_are_told_all_of_it(self, played: Played):
        for row in ("CSC-01", "CSC-02", "CSC-03", "CSC-04", "CSC-10"):
            assert played.decision("S1", row, LA)["decision"] == "allow"

    def test_police_get_the_outcome_by_g1_and_what_she_agreed(self, played: Played):
        assert played.decision("S1", "POL-01", POLICE)["rule_ids"] == ["G1", "POL-01"]
        assert played.decision("S1", "POL-01", POLICE)["decision"] == "allow"
        assert played.decision("S1", "POL-03", POLICE)["decision"] in TOLD
        assert played.decision("S1", "POL-04", POLICE)["decision"] == "allow"

    def test_police_do_not_get_the_story_that_she_declined(self, played: Played):
        assert played.decision("S1", "POL-02", POLICE)["decision"] == "deny"

    def test_her_mother_gets_the_reasons_in_plain_words(self, played: Played):
        found = played.verdicts("S1", "mother")

        assert found["CAR-01"] <= TOLD
        assert found["CAR-03"] == {"allow_redacted"}
        assert found["CAR-02"] == {"deny"}

    def test_school_is_told_nothing(self, played: Played):
        found = played.verdicts("S1", "oakfield-school")

        assert {row.partition("-")[0] for row in found} == {"SCH"}
        assert set.union(*found.values()) == {"deny"}

    def test_the_commissioner_gets_a_pseudonymous_row_and_no_story(self, played: Played):
        outcome = played.decision("S1", "COM-01", COMMISSIONER)

        assert outcome["transforms"] == ["pseudonymous"]
        assert played.decision("S1", "COM-02", COMMISSIONER)["decision"] == "deny"
        assert "Maya" not in str(played.results["S1"]["readable"].get(COMMISSIONER))


class TestS4:
    """Laura: refusal then acceptance."""

    def test_of_a_talk_without_words_only_the_outcome_leaves(self, played: Played):
        first = [one for one in played.results["S4"]["decisions"] if one["episode"] == "E1"]
        told = {one["rule_ids"][-1] for one in first if one["decision"] in TOLD}

        assert {"CSC-01", "POL-01", "CAR-01", "COM-01"} <= told
        assert {one["category"] for one in first} == {"basic_outcome"}

    def test_mum_may_know_that_she_is_ok_and_no_more(self, played: Played):
        second = {
            one["rule_ids"][-1]: one
            for one in played.results["S4"]["decisions"]
            if one["episode"] == "E2" and one["recipient"] == "mother"
        }

        assert second["CAR-10"]["decision"] == "allow"
        assert second["CAR-02"]["decision"] == "deny"

    def test_childrens_services_hear_her_by_duty(self, played: Played):
        second = {
            one["rule_ids"][-1]: one
            for one in played.results["S4"]["decisions"]
            if one["episode"] == "E2" and one["recipient"] == LA
        }

        assert second["CSC-10"]["rule_ids"] == ["G1", "CSC-10"]
        assert second["CSC-02"]["rule_ids"] == ["G1", "CSC-02"]
        assert "tell_child_first" in second["CSC-02"]["obligations"]

    def test_police_get_the_party_address_and_not_the_story(self, played: Played):
        found = played.verdicts("S4", POLICE)

        assert found["POL-04"] == {"allow"}
        assert found["POL-02"] == {"deny"}
        assert found["POL-01"] == {"allow"}

    def test_her_mother_gets_codes_and_her_own_part_of_the_plan(self, played: Played):
        found = played.verdicts("S4", "mother")

        assert found["CAR-03"] == found["CAR-09"] == {"allow_redacted"}


class TestS5:
    """Fiona: harm told, objection overridden where it must be."""

    def test_childrens_services_are_told_because_they_must_be(self, played: Played):
        found = played.verdicts("S5", LA)

        assert found["CSC-02"] == found["CSC-05"] == found["CSC-06"] == {"allow"}
        assert played.decision("S5", "CSC-02", LA)["rule_ids"] == ["G3", "CSC-02"]
        assert "same_day" in played.decision("S5", "CSC-06", LA)["obligations"]

    def test_police_get_minimum_facts_about_both(self, played: Played):
        for nth in (0, 1):
            found = played.decision("S5", "POL-06", POLICE, nth)
            assert found["transforms"] == ["minimum_facts"]

    def test_police_get_the_adults_and_the_boy_of_16_waits(self, played: Played):
        verdicts = sorted(
            one["decision"]
            for one in played.results["S5"]["decisions"]
            if one["recipient"] == POLICE and one["rule_ids"][-1] == "POL-05"
        )

        assert verdicts == ["allow_redacted", "allow_redacted", "defer"]

    def test_police_get_the_place_an_extract_and_no_health(self, played: Played):
        found = played.verdicts("S5", POLICE)

        assert found["POL-04"] == {"allow"}
        assert found["POL-02"] == {"allow_redacted"}
        assert found["POL-07"] == {"deny"}

    def test_her_mother_waits_for_the_strategy_discussion(self, played: Played):
        found = played.verdicts("S5", "mother")

        assert found.pop("CAR-01") <= TOLD
        assert found.pop("CAR-06") == {"deny"}
        assert set.union(*found.values()) == {"defer"}

    def test_health_is_told_for_care_and_nobody_is_named(self, played: Played):
        found = played.decision("S5", "HEA-06", "northshire-sarc")

        assert found["rule_ids"] == ["G3", "HEA-06"]
        assert "no_names" in found["transforms"]

    def test_the_panel_gets_category_and_action_the_strategic_group_counts(self, played: Played):
        panel = played.decision("S5", "LSC-06", "northshire-missing-panel")
        strategic = played.decision("S5", "LSC-06", "northshire-strategic-group")

        assert "category_and_action" in panel["transforms"]
        assert "counts_only" in strategic["transforms"]

    def test_the_commissioner_gets_a_count(self, played: Played):
        assert "counts_only" in played.decision("S5", "COM-06", COMMISSIONER)["transforms"]


@pytest.mark.parametrize("case", ["S1", "S4", "S5"])
def test_every_statement_of_the_case_holds(played: Played, case: str):
    wrong = [check for check in played.results[case]["checks"] if not check["held"]]

    assert wrong == []


@pytest.mark.parametrize("case", ["S1", "S4", "S5"])
def test_what_a_partner_decrypts_is_what_was_released_to_it(played: Played, case: str):
    found = played.results[case]
    by_feed = {one["recipient"] for one in found["recipients"] if one["by"] == "feed"}
    for recipient in by_feed:
        released = sorted(
            one["item"]
            for one in found["releases"]
            if one["recipient"] == recipient and one["state"] in {"sent", "delivered"}
        )
        read = sorted(entry["item"] for entry in found["readable"].get(recipient, []))

        assert read == released


def test_the_page_and_the_ledger_lie_in_the_home(played: Played):
    page = (played.home.path / "demo.html").read_text()

    assert all(name in page for name in ("Maya", "Laura", "Fiona"))
    assert "not so:" not in page
    assert "Ledger: right" in played.said


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("S1", "After the talk the worker has one task, and the safeguarding lead one."),
        ("S1", "The follow-up with the social worker escalates at 17:20:01 and not before."),
        ("S4", "Three in 30 days stays silent, three in 90 days fires on the third episode."),
        ("S5", "The safeguarding lead is alerted once by 11:42, before anything was judged."),
        ("S5", "As she judged in time, the manager on call is not."),
    ],
)
def test_people_are_asked_once_and_in_time(played: Played, case: str, sentence: str):
    (found,) = [c for c in played.results[case]["checks"] if c["sentence"] == sentence]

    assert found["held"]
