"""Logs tell what happened by code, never what was said."""

import json
import logging

import pytest

from messaging import telemetry

CANARY = "Wren Ashdown said she was hurt"


@pytest.fixture
def logged(capsys):
    """`logged()` returns the entries written so far."""
    telemetry.configure("referral")
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def count(reason: str) -> float:
    return telemetry.dropped.labels(reason)._value.get()


def test_a_registered_key_is_written(logged):
    telemetry.get_logger().info("event.handled", handler="scheduling.take", tries=2)
    [entry] = logged()

    assert entry["event"] == "event.handled"
    assert (entry["handler"], entry["tries"], entry["service"]) == (
        "scheduling.take",
        2,
        "referral",
    )


def test_an_unknown_key_is_dropped_and_counted(logged):
    before = count("key")
    telemetry.get_logger().info("event.handled", child=CANARY, given_name="Wren")
    [entry] = logged()

    assert "child" not in entry
    assert "Wren" not in json.dumps(entry)
    assert count("key") == before + 2


@pytest.mark.parametrize("value", [CANARY, ["Wren"], {"a": "Wren"}, "x" * 500, "Wren\n", object()])
def test_a_sentence_under_a_registered_key_is_dropped_too(logged, value):
    before = count("value")
    telemetry.get_logger().info("event.handled", reason=value)
    [entry] = logged()

    assert "reason" not in entry
    assert count("value") == before + 1


def test_an_event_name_that_is_a_sentence_is_dropped(logged):
    telemetry.get_logger().warning(CANARY)
    [entry] = logged()

    assert entry["event"] == "unregistered.event"


def test_an_exception_is_its_class_and_its_place(logged):
    def fails() -> None:
        said = CANARY
        raise ValueError(said)

    try:
        fails()
    except ValueError:
        telemetry.get_logger().exception("request.failed")
    [entry] = logged()

    assert entry["error"] == "ValueError"
    assert entry["where"].startswith("tests/messaging/test_telemetry.py:")
    assert "Wren" not in json.dumps(entry)


def test_a_library_is_heard_but_not_its_words(logged):
    try:
        raise LookupError(CANARY)
    except LookupError:
        logging.getLogger("some.library").exception("could not store %s", CANARY)
    logging.getLogger("some.library").warning(CANARY)
    first, second = logged()

    assert (first["logger"], first["error"]) == ("some.library", "LookupError")
    assert second["where"].startswith("test_telemetry.py:")
    assert "Wren" not in json.dumps([first, second])


def test_a_key_can_be_registered(logged):
    telemetry.register_keys({"policy_version"})
    telemetry.get_logger().info("policy.loaded", policy_version="2026.11.1")
    [entry] = logged()

    assert entry["policy_version"] == "2026.11.1"
