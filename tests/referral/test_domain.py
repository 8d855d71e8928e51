"""Times, names, defaults and triggers of referrals."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.referral.domain import (
    Attach,
    Channel,
    ChannelSaid,
    Facts,
    Fire,
    Fired,
    Missing,
    Said,
    TimeRefusedError,
    Times,
    TriggerRule,
    faults_of_birth,
    name_key,
    read_instant,
    triage_reasons,
    trigger_step,
)

LONDON = ZoneInfo("Europe/London")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


# Times


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-27T22:40:00+00:00", utc(2026, 11, 27, 22, 40)),
        ("2026-11-27T22:40Z", utc(2026, 11, 27, 22, 40)),
        ("2027-10-30T20:00", utc(2027, 10, 30, 19)),
        ("2026-11-27 22:40", utc(2026, 11, 27, 22, 40)),
    ],
)
def test_a_time_is_read_as_the_moment_it_names_local_where_it_has_no_offset(text, at):
    assert read_instant(text, LONDON).at == at
    assert not read_instant(text, LONDON).ambiguous


def test_a_local_time_that_exists_twice_is_taken_as_the_first_and_flagged():
    read = read_instant("2027-10-31T01:30", LONDON)

    assert (read.at, read.ambiguous) == (utc(2027, 10, 31, 0, 30), True)


def test_an_offset_leaves_nothing_ambiguous():
    assert not read_instant("2027-10-31T01:30+01:00", LONDON).ambiguous


def test_a_local_time_that_summer_time_skips_is_refused():
    with pytest.raises(TimeRefusedError) as refused:
        read_instant("2027-03-28T01:30", LONDON)

    assert refused.value.code == "time.nonexistent"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2027-03-28",
        "20270328",
        "0001-01-01T00:00+14:00",
        "9999-12-31T23:59-14:00",
        "2027-W12",
        "1066-10-14T09:00",
    ],
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(TimeRefusedError) as refused:
        read_instant(text, LONDON)

    assert refused.value.code == "time.invalid"


EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - local times have no zone, that is the point
minutes = st.integers(0, 100 * 366 * 24 * 60)


@given(minutes)
def test_every_moment_written_in_london_time_with_its_offset_reads_as_itself(minute):
    moment = EPOCH.replace(tzinfo=UTC) + timedelta(minutes=minute)

    assert read_instant(moment.astimezone(LONDON).isoformat(), LONDON).at == moment


@given(minutes)
def test_a_local_time_is_refused_or_reads_as_the_first_moment_that_london_shows_so(minute):
    naive = EPOCH + timedelta(minutes=minute)
    shown = [
        moment
        for offset in (1, 0)
        if (moment := naive.replace(tzinfo=UTC) - timedelta(hours=offset))
        .astimezone(LONDON)
        .replace(tzinfo=None)
        == naive
    ]

    if shown:
        read = read_instant(naive.isoformat(), LONDON)
        assert (read.at, read.ambiguous) == (shown[0], len(shown) == 2)
    else:
        with pytest.raises(TimeRefusedError):
            read_instant(naive.isoformat(), LONDON)


def times(**changes) -> Times:
    usual = Times(
        missing_from=utc(2026, 11, 27, 18),
        returned_at=utc(2026, 11, 27, 22, 40),
        received_at=utc(2026, 11, 28, 9, 15),
    )
    return replace(usual, **changes)


NOW = utc(2026, 11, 28, 9, 15)


def test_times_in_order_have_no_fault():
    assert times().faults(NOW) == []


def test_a_child_cannot_return_before_they_left():
    faults = times(returned_at=utc(2026, 11, 27, 17, 59)).faults(NOW)

    assert faults == [("episode.returned_at", "time.returned_before_missing")]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("returned_at", "episode.returned_at"),
        ("received_at", "received_at"),
        ("reported_missing_at", "episode.reported_missing_at"),
    ],
)
def test_no_time_may_be_in_the_future(name, field):
    faults = times(**{name: NOW + timedelta(seconds=1)}).faults(NOW)

    assert faults == [(field, "time.in_future")]


def test_a_birth_date_after_the_child_went_missing_is_refused():
    assert faults_of_birth(date(2026, 11, 28), utc(2026, 11, 27)) == [
        ("child.date_of_birth", "date.after_missing")
    ]


def test_a_child_who_turned_18_during_the_episode_is_still_served():
    def reasons(born: date, upper_age: int = 18):
        return triage_reasons(
            locality_known=True,
            born=born,
            missing_from=utc(2027, 1, 14, 12),
            zone=LONDON,
            upper_age=upper_age,
        )

    assert reasons(date(2009, 1, 15)) == ()
    assert reasons(date(2009, 1, 14)) == ("over_age",)
    assert reasons(date(2009, 1, 14), upper_age=25) == ()


# Names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Zoë", "O'Brien"), ("ZOE", "OBrien")),
        (("Mary Ann", "Smith"), ("mary-ann", " smith ")),
        (("Łucja", "Groß"), ("Lucja", "GROSS")),
        (("Ana\u0301", "Nuñez"), ("Aná", "Nunez")),
    ],
)
def test_spellings_of_one_name_agree(one, other):
    assert name_key(*one) == name_key(*other)


def test_given_and_family_name_do_not_run_together():
    assert name_key("Anna", "Lee") != name_key("Ann", "Alee")


# Facts


def a_saying(**changes) -> Said:
    return replace(Said("Child", "One", date(2011, 5, 1)), **changes)


def test_a_new_child_gets_the_defaults():
    facts = Facts.first(a_saying(), "northshire", "northshire")

    assert facts == Facts(
        "Child",
        "One",
        date(2011, 5, 1),
        "northshire",
        "northshire",
        host_la=None,
        identity_status="unverified",
        legal_status="home",
        address_confidential=True,
        channels=(),
    )


def test_a_later_referral_that_says_nothing_changes_nothing():
    first = a_saying(
        identity_status="verified",
        legal_status="looked_after",
        responsible_la="la-a",
        host_la="la-b",
        address_confidential=False,
        channels=(ChannelSaid("text", "07700 900001", "safe", "child"),),
    )
    known = Facts.first(first, "northshire", "northshire")

    assert known.after_referral(a_saying(), "northshire") == known


def test_a_later_referral_changes_what_it_says():
    known = Facts.first(a_saying(), "northshire", "northshire")

    later = known.after_referral(
        a_saying(legal_status="looked_after", address_confidential=False), "eastvale"
    )

    assert later == replace(
        known, legal_status="looked_after", address_confidential=False, locality="eastvale"
    )


def test_a_referral_by_an_unknown_route_moves_no_child():
    known = Facts.first(a_saying(), "northshire", "northshire")

    assert known.after_referral(a_saying(), None).locality == "northshire"


def test_a_referral_does_not_rename_a_child_but_raises_doubt():
    known = Facts.first(a_saying(), "northshire", "northshire")
    said = a_saying(given_name="Other")

    assert known.after_referral(said, "northshire") == known
    assert known.identity_in_doubt(said)
    assert known.identity_in_doubt(a_saying(date_of_birth=date(2012, 5, 1)))
    assert not known.identity_in_doubt(a_saying(given_name="CHILD"))


def test_a_channel_is_unknown_and_a_carers_unless_said():
    said = a_saying(channels=(ChannelSaid("text", "1"),))

    assert Facts.first(said, "n", "n").channels == (Channel("text", "1", "unknown", "carer"),)


@pytest.mark.parametrize(
    ("held", "said", "becomes"),
    [
        ("unknown", "safe", "safe"),
        ("safe", "unsafe", "unsafe"),
        ("safe", "unknown", "safe"),
        ("safe", None, "safe"),
        ("unsafe", "safe", "unsafe"),
    ],
)
def test_a_referral_never_makes_an_unsafe_channel_safe(held, said, becomes):
    known = Facts.first(a_saying(channels=(ChannelSaid("text", "1", held, "child"),)), "n", "n")

    later = known.after_referral(a_saying(channels=(ChannelSaid("text", "1", said),)), "n")

    assert later.channels == (Channel("text", "1", becomes, "child"),)


# Triggers

IN_30 = TriggerRule(3, 30, "strategy_meeting")
IN_90 = TriggerRule(3, 90, "strategy_meeting")


def alerts(rule: TriggerRule, *starts: datetime) -> list[int | None]:
    """Return per arrival: the number of the trigger fired or joined, else None."""
    return arrive(rule, *starts)[0]


def arrive(rule: TriggerRule, *starts: datetime) -> tuple[list[int | None], list[Missing]]:
    """Return the alerts and the episodes that belong to none, by time."""
    free: list[Missing] = []
    fired: list[Fired] = []
    seen: list[int | None] = []
    alerted: list[int] = []
    for number, start in enumerate(starts, 1):
        one = Missing(f"E{number}", start)
        match trigger_step(rule, one, free, fired):
            case Fire(founders):
                first, last = founders[0].missing_from, founders[-1].missing_from
                fired.append(Fired(str(len(fired)), first, last, rule.window_days))
                free = [other for other in free if other not in founders]
                alerted.append(number)
                seen.append(number)
            case Attach(trigger_id):
                seen.append(alerted[int(trigger_id)])
            case None:
                free.append(one)
                seen.append(None)
    return seen, sorted(free, key=lambda one: one.missing_from)


def test_s3_three_in_five_days_fire_once_and_the_fourth_joins():
    starts = [
        utc(2026, 12, 2, 18),
        utc(2026, 12, 4, 20),
        utc(2026, 12, 5, 21),
        utc(2026, 12, 12, 18),
    ]

    assert alerts(IN_30, *starts) == [None, None, 3, 3]


def test_s4_three_in_59_days_are_silent_for_30_and_fire_for_90():
    starts = [utc(2026, 10, 3, 20), utc(2026, 11, 3, 18), utc(2026, 12, 1, 20)]

    assert alerts(IN_30, *starts) == [None, None, None]
    assert alerts(IN_90, *starts) == [None, None, 3]


def test_exactly_the_window_counts_and_a_second_more_does_not():
    start = utc(2026, 1, 1)
    edge = start + timedelta(days=30)

    assert alerts(IN_30, start, utc(2026, 1, 9), edge)[-1] == 3
    assert alerts(IN_30, start, utc(2026, 1, 9), edge + timedelta(seconds=1))[-1] is None


def test_a_new_run_of_episodes_alerts_again():
    days = [0, 1, 2, 40, 41, 42]

    seen = alerts(IN_30, *(utc(2026, 1, 1) + timedelta(days=day) for day in days))

    assert seen == [None, None, 3, None, None, 6]


@pytest.mark.parametrize("order", list(permutations([0, 2, 3, 10])))
def test_the_order_of_arrival_changes_nothing_about_one_alert(order):
    seen = alerts(IN_30, *(utc(2026, 12, 1) + timedelta(days=day) for day in order))

    assert seen == [None, None, 3, 3]


@given(st.lists(st.integers(0, 200), max_size=12, unique=True), st.randoms())
def test_whatever_the_order_no_three_in_thirty_days_stay_without_an_alert(days, chance):
    chance.shuffle(days)
    _, free = arrive(IN_30, *(utc(2026, 1, 1) + timedelta(days=day) for day in days))

    for first, third in zip(free, free[2:], strict=False):
        assert third.missing_from - first.missing_from > timedelta(days=30)
