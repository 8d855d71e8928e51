"""The policy engine of a home: which one runs, with which policies, and how `sharing` asks it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from homeward import engine, parts
from homeward.home import Home, HomeError

POLICIES = Path(__file__).parent.parent / "policies"


@dataclass(frozen=True)
class Prepared:
    """An engine that is ready to be started with the policies of this checkout."""

    kind: str
    """`server`: the `opa` command; `library`: OPA's engine in a process of our own."""
    version: str
    digest: str
    part: parts.Part


def prepare(home: Home, ports: Mapping[str, int]) -> Prepared:
    """Build the bundle of policies and say how to start the engine.

    Raises `HomeError` where there is no engine, or the policies may not be loaded.
    """
    try:
        found = engine.find_engine()
        digest = engine.build_bundle(POLICIES, home.opa_bundle)
    except engine.EngineMissingError as error:
        raise HomeError(str(error)) from error
    except engine.BrokenPoliciesError as error:
        raise HomeError(f"the policies may not be loaded:\n{error}") from error
    command = engine.server_command(found, home.opa_bundle, ports["opa"], home.opa_token)
    return Prepared(
        kind="server" if found.kind == "command" else "library",
        version=found.version,
        digest=digest,
        part=parts.Part(
            name="opa",
            command=tuple(command),
            url=f"http://127.0.0.1:{ports['opa']}",
            env=parts.clean_environment(),
        ),
    )


def settings_for(service: str, home: Home, prepared: Prepared) -> dict[str, str]:
    """Return the settings that `sharing` alone has: engine, policies, keys of the gate."""
    if service != "sharing":
        return {}
    return {
        "HOMEWARD_OPA_URL": prepared.part.url,
        "HOMEWARD_OPA_TOKEN": str(home.opa_token),
        "HOMEWARD_POLICY_DIGEST": prepared.digest,
        "HOMEWARD_POLICIES": str(home.opa_bundle),
        "HOMEWARD_SIGNING_KEY": str(home.keys_dir / "signing.jwk.json"),
        "HOMEWARD_LEDGER_KEY": str(home.keys_dir / "ledger.jwk.json"),
    }
