"""Logs by allow-list: what is not registered is dropped and counted."""

import logging
import re
import sys
import traceback
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import Counter

dropped = Counter(
    "homeward_log_keys_dropped",
    "Log keys or values that were not on the allow-list",
    ["reason"],
    registry=None,
)

for _reason in ("event", "key", "value"):
    dropped.labels(_reason)  # so that none reads as 0

_keys: set[str] = set()
_CODE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*\Z")
_VALUE = re.compile(r"[A-Za-z0-9_.:/@{}+*>-]{0,160}\Z")
"""No spaces: an id, a code, a time or a place in the code, but no sentence."""
_ROOT = str(Path(__file__).resolve().parent.parent)


def register_keys(keys: Iterable[str]) -> None:
    """Allow these keys in logs; their values must be ids, codes, times or numbers."""
    _keys.update(keys)


register_keys(
    {
        "count",
        "delay_s",
        "durable",
        "duration_ms",
        "error",
        "event_id",
        "handler",
        "host",
        "kind",
        "logger",
        "method",
        "name",
        "peer",
        "port",
        "reason",
        "route",
        "service",
        "status",
        "stream",
        "subject",
        "tries",
        "where",
    }
)


def get_logger() -> Any:
    """Return a logger: `log.info("topic.reason", key=value)`."""
    return structlog.get_logger()


def place_of(error: BaseException) -> str:
    """Return `file:line` of the innermost frame of our own code, else of any."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f.filename.startswith(_ROOT) and "site-packages" not in f.filename]
    if not frames:
        return "unknown"
    frame = (ours or list(frames))[-1]
    name = frame.filename.removeprefix(_ROOT).lstrip("/").rpartition("site-packages/")[2]
    return f"{name}:{frame.lineno}"


def _allow(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> dict[str, Any]:
    """Keep what is registered and bounded; an exception becomes its class and its place."""
    fixed: dict[str, Any] = {key: entry.pop(key) for key in ("level", "timestamp") if key in entry}
    event = entry.pop("event", "")
    if not (isinstance(event, str) and _CODE.match(event)):
        dropped.labels("event").inc()
        event = "unregistered.event"
    kept: dict[str, Any] = {"event": event, **fixed}
    error = entry.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        entry.update(error=type(error).__name__, where=place_of(error))
    for key, value in entry.items():
        if key not in _keys:
            dropped.labels("key").inc()
        elif _bounded(value):
            kept[key] = value
        else:
            dropped.labels("value").inc()
    return kept


def _bounded(value: object) -> bool:
    if isinstance(value, str):
        return _VALUE.match(value) is not None
    return value is None or isinstance(value, bool | int | float)


class _Libraries(logging.Handler):
    """Passes on that a library spoke and where, not what it said: that may be about a child."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record's place in the library's source."""
        where = f"{record.module}.py:{record.lineno}"
        error = record.exc_info[1] if record.exc_info else None
        entry: dict[str, Any] = {"logger": record.name, "where": where}
        if error is not None:
            entry["error"] = type(error).__name__
        get_logger().log(min(record.levelno, logging.ERROR), "library.spoke", **entry)


def configured() -> bool:
    """Tell whether `configure` has been called in this process."""
    return structlog.is_configured()


def configure(service: str) -> None:
    """Send one JSON line per entry to standard output; called once per process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _allow,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)
    root = logging.getLogger()
    root.handlers = [_Libraries(logging.WARNING)]
    root.setLevel(logging.WARNING)
