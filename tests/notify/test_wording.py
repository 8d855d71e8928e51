"""What people read: plain, short, local in time, and nothing that gives a child away."""

import re
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import pytest

from services.notify import templates
from services.notify.templates import VERSIONS, render
from services.notify.wording import day_and_time, one_line, time_only

FILES = sorted(Path(templates.__file__).parent.glob("*.txt"))
CHILD = {
    "service": "Homeward",
    "worker": "Ada",
    "when": "Monday 30 November, 4:30 pm",
    "venue": "Central Library",
}
GIVE_AWAY = re.compile(
    r"missing|ran away|run away|runaway|return home interview|police|social work|harm|abuse|report",
    re.IGNORECASE,
)


def the_appointment(channel: str):
    return render("appointment", 1, "en", channel, CHILD)


@pytest.mark.parametrize(
    ("utc", "read"),
    [
        ("2026-11-30T16:30:00+00:00", "Monday 30 November, 4:30 pm"),
        ("2027-03-29T18:30:00+00:00", "Monday 29 March, 7:30 pm"),
        ("2026-07-01T23:05:00+00:00", "Thursday 2 July, 12:05 am"),
        ("2026-12-01T12:00:00+00:00", "Tuesday 1 December, 12:00 pm"),
    ],
)
def test_a_time_is_read_in_london(utc, read):
    assert day_and_time(datetime.fromisoformat(utc)) == read


def test_a_page_names_the_local_hour():
    assert time_only(datetime(2026, 10, 14, 11, 42, tzinfo=UTC)) == "12:42 pm"


def test_a_venue_cannot_add_lines():
    assert one_line("Library\nBcc: a@example.org\r\n\tHall") == "Library Bcc: a@example.org Hall"


@pytest.mark.parametrize("channel", ["email", "text", "letter"])
def test_a_child_reads_who_we_are_when_where_that_it_is_their_choice_and_whom_to_call(channel):
    body = the_appointment(channel).body

    for words in ("Homeward", "Ada", CHILD["when"], CHILD["venue"], "your choice", "116 000"):
        assert words in body
    assert "not in trouble" in body


@pytest.mark.parametrize("channel", ["email", "text", "letter"])
def test_nothing_says_why_to_whoever_looks_over_a_shoulder(channel):
    text = the_appointment(channel)

    assert not GIVE_AWAY.search(text.subject + text.body)


@pytest.mark.parametrize("channel", ["email", "text", "letter"])
def test_a_child_reads_short_words_in_short_sentences(channel):
    """R17. Letters per word and words per sentence as for a reader of about nine."""
    prose = " ".join(
        line
        for line in the_appointment(channel).body.splitlines()
        if not line.startswith(("When", "Where"))
    )
    sentences = [s.split() for s in re.split(r"[.?!:]\s", prose) if s.strip()]
    words = [re.sub(r"\W", "", word) for sentence in sentences for word in sentence]

    assert max(len(sentence) for sentence in sentences) <= 16
    assert sum(map(len, words)) / len(words) < 4.5


def test_a_text_fits_two_messages():
    assert len(the_appointment("text").body) <= 306


def test_a_template_with_a_hole_in_it_is_not_sent():
    with pytest.raises(jinja2.UndefinedError):
        render("appointment", 1, "en", "email", {"service": "Homeward"})


def test_every_version_in_use_has_its_file():
    names = {file.name for file in FILES}

    for template, version in VERSIONS.items():
        assert f"{template}.v{version}.en.email.txt" in names


def test_staff_mail_has_no_place_for_a_name_or_a_word():
    for file in FILES:
        if file.name.startswith(("page", "deadline")):
            holes = set(re.findall(r"{{ (\w+) }}", file.read_text()))
            assert holes <= {"what", "child", "due", "due_time", "page", "heading", "episode"}
