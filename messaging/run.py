"""How a service's process starts: `python -m services.<name>` serves, `… migrate` migrates."""

import gc

gc.disable()  # while modules load nothing is garbage, and looking for it costs a tenth of the start

# ruff: noqa: E402
import asyncio
import signal
import sys
from importlib import import_module
from pathlib import Path

from pydantic import ValidationError

from messaging import telemetry

_GRACE_S = 20


def main(target: str) -> None:
    """Run the app factory `target`, e.g. "services.<name>.app:create", or migrate."""
    module, _, factory = target.partition(":")
    package = module.rpartition(".")[0]
    telemetry.configure(package.rpartition(".")[2])
    try:
        match sys.argv[1:]:
            case []:
                _serve(module, factory)
            case ["migrate"]:
                _migrate(package)
            case _:
                sys.exit("usage: python -m services.<name> [migrate]")
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_context=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"]) or "settings"
            sys.stderr.write(f"{name}: {problem['msg']}\n")
        sys.exit(2)


def _serve(module: str, factory: str) -> None:
    import uvicorn  # noqa: PLC0415 - a migration does not need it

    api = getattr(import_module(module), factory)()
    gc.collect()
    gc.freeze()  # what was loaded stays for good; collections need not look at it again
    gc.enable()
    settings = api.state.homeward.settings
    config = uvicorn.Config(
        api,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # paths hold ids, and the line would say who asked when
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    # uvicorn raises the signal again once it has stopped; a graceful stop is no failure
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server = uvicorn.Server(config)
    server.run()
    if not server.started:
        sys.exit(1)


def _migrate(package: str) -> None:
    from messaging.migrate import MigrationSettings, migrate  # noqa: PLC0415 - alembic is heavy

    versions = Path(str(import_module(package).__file__)).with_name("migrations") / "versions"
    asyncio.run(migrate(MigrationSettings().database_url, versions))
