"""How a service's process starts: `python -m services.<name>` serves, `… migrate` migrates."""

import gc

gc.disable()  # while modules load nothing is garbage, and looking for it costs a tenth of the start

# ruff: noqa: E402
import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from messaging import crashing, telemetry, trust

if TYPE_CHECKING:
    import ssl

    from messaging.settings import Settings

log = telemetry.get_logger()

_GRACE_S = 20


def main(target: str) -> None:
    """Run the app factory `target`, e.g. "services.<name>.app:create", or migrate."""
    module, _, factory = target.partition(":")
    package = module.rpartition(".")[0]
    telemetry.configure(package.rpartition(".")[2])
    crashing.leave_nothing()
    try:
        match sys.argv[1:]:
            case []:
                _serve(module, factory)
            case ["migrate"]:
                _migrate(package)
            case _:
                sys.exit("usage: python -m services.<name> [migrate]")
    except ValidationError as error:
        _say_refused(error)
        sys.exit(2)
    except Exception as error:
        # a traceback could show values: the class, the place and what TLS had against it will do
        log.error("service.not_started", exc_info=error, reason=trust.reason(error))
        sys.exit(1)


def _say_refused(error: ValidationError) -> None:
    """Name each setting that is refused, and why; never its value."""
    for problem in error.errors(include_input=False, include_url=False):
        cause = problem.get("ctx", {}).get("error")
        name = ".".join(str(part) for part in problem["loc"]) or getattr(cause, "name", "settings")
        log.error("service.not_started", name=name, error=problem["type"])
        sys.stderr.write(f"{name}: {problem['msg']}\n")


def _serve(module: str, factory: str) -> None:
    import uvicorn  # noqa: PLC0415 - a migration does not need it

    api = getattr(import_module(module), factory)()
    gc.collect()
    gc.freeze()  # what was loaded stays for good; collections need not look at it again
    gc.enable()
    settings = api.state.homeward.settings
    config = uvicorn.Config(
        api,
        log_config=None,
        access_log=False,  # paths hold ids, and the line would say who asked when
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_context_factory=_tls(settings),
    )
    # uvicorn raises the signal again once it has stopped; a graceful stop is no failure
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server = uvicorn.Server(config)
    # bound here: uvicorn would end without saying what was wrong with the address
    with _bound(settings.host, settings.port) as opened:
        server.run([opened])
    if not server.started:
        sys.exit(1)


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket with our address; it takes calls only once the service has started."""
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((host, port))
    return opened


def _tls(settings: "Settings") -> "Callable[..., ssl.SSLContext] | None":
    """Return what makes the context that answers with our certificate; None: without TLS."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return None
    return lambda *_: trust.serving(certificate, key)


def _migrate(package: str) -> None:
    from messaging.migrate import migrate  # noqa: PLC0415 - alembic is heavy
    from messaging.settings import MigrationSettings  # noqa: PLC0415

    versions = Path(str(import_module(package).__file__)).with_name("migrations") / "versions"
    told = MigrationSettings()
    asyncio.run(migrate(told.database_url, versions, told.database_ca, told.database_password))
