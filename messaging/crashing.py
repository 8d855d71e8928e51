"""What a process leaves when it dies: the kind of its fault and its place, no words, no memory.

Python prints the text of an error that nobody caught, which may hold what was wrong with it, and
the kernel may write the whole memory to a file.
"""

import contextlib
import resource
import sys
import threading
from types import TracebackType

from messaging.telemetry import get_logger

log = get_logger()


def leave_nothing() -> None:
    """Have this process die that way; called once, before anything is loaded that may fail."""
    with contextlib.suppress(ValueError, OSError):  # a site may have forbidden it already
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.excepthook = _uncaught
    threading.excepthook = _in_thread
    sys.unraisablehook = _unraisable


def _uncaught(
    kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("process.failed", exc_info=error)


def _in_thread(what: threading.ExceptHookArgs) -> None:
    log.error("thread.failed", exc_info=what.exc_value)


def _unraisable(what: "sys.UnraisableHookArgs") -> None:
    log.error("object.failed", exc_info=what.exc_value)
