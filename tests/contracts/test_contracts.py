"""What services say to each other keeps parsing, and stays thin."""

import importlib
import json
import pkgutil
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

import contracts
from contracts.event import Event

GOLDEN = Path(__file__).parent / "golden"

for _module in pkgutil.iter_modules(contracts.__path__):
    importlib.import_module(f"contracts.{_module.name}")

EVENTS = sorted(Event.__subclasses__(), key=lambda event: event.subject)
RECORDED = sorted(GOLDEN.glob("*.json"))
BY_SUBJECT = {event.subject: event for event in EVENTS}

MAY_NOT_TRAVEL = re.compile(r"name|address|birth|words|text|phone|email|note|reason$|description")


def test_there_are_events():
    assert len(EVENTS) > 15


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.subject)
def test_each_event_has_a_recorded_example(event):
    assert (GOLDEN / f"{event.subject}.json").is_file()


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_each_recorded_example_still_says_the_same(recorded):
    said = json.loads(recorded.read_text())

    read = BY_SUBJECT[recorded.stem].model_validate(said)

    assert said == {
        field: value for field, value in read.model_dump(mode="json").items() if field in said
    }


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_a_field_of_a_later_version_is_ignored(recorded):
    said = json.loads(recorded.read_text())

    read = BY_SUBJECT[recorded.stem].model_validate({**said, "told_by_a_later_version": 1})

    assert read == BY_SUBJECT[recorded.stem].model_validate(said)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.subject)
def test_the_subject_names_the_module_and_the_class(event):
    _, publisher, fact, version = event.subject.split(".")

    assert event.__module__ == f"contracts.{publisher}"
    assert event.__name__ == "".join(word.title() for word in fact.split("_")) + (
        "" if version == "v1" else version.upper()
    )


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.subject)
def test_no_event_has_room_for_names_addresses_or_words(event):
    carried = {field for field in event.model_fields if MAY_NOT_TRAVEL.search(field)}

    assert carried == set()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.subject)
def test_an_event_that_does_not_parse_is_reported_without_its_content(event):
    with pytest.raises(ValidationError) as refused:
        event.model_validate({"id": {"canary": "Fiona at Mill Street"}})

    assert "Mill Street" not in str(refused.value)
