"""The policy engine of a home: which one runs, with which policies, and how `sharing` asks it."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from homeward import engine, parts
from homeward.engine.serving import admit
from homeward.home import Home, HomeError
from homeward.keys import write_secret

POLICIES = Path(__file__).parent.parent / "policies"
"""What a new home begins with; from then on a home keeps its own."""


@dataclass(frozen=True)
class Prepared:
    """An engine that is ready to be started with the policies of a home."""

    kind: str
    """`server`: the `opa` command; `library`: OPA's engine in a process of our own."""
    version: str
    digest: str
    part: parts.Part


def prepare(home: Home, ports: Mapping[str, int]) -> Prepared:
    """Build the bundle of the home's policies and say how to start the engine.

    Raises `HomeError` where there is no engine, or the policies may not be loaded.
    """
    try:
        found = engine.find_engine()
    except engine.EngineMissingError as error:
        raise HomeError(str(error)) from error
    digest = build(home)
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


def wanted(home: Home) -> str | None:
    """Return the digest of the version that the engine is to load; None before the first start."""
    try:
        return (home.policies / "current").read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def build(home: Home) -> str:
    """Put the bundle of the version that is wanted in its place, whole; return its digest.

    A home that has none yet keeps those of this checkout, so that another release of Homeward
    changes no rule by itself. Raises `HomeError`: the bundle that is there stays.
    """
    digest = wanted(home) or _keep_the_first(home)
    folder, aside = home.policies / digest, home.opa_bundle.with_name("opa-bundle.new")
    if not folder.is_dir():
        raise HomeError(f"{folder} is not there: `homeward policy history` says what may be loaded")
    try:
        if engine.policy_digest(folder) != digest:
            raise HomeError(f"{folder} was changed by hand: a change is a draft of its own")
        engine.build_bundle(folder, aside)
    except engine.BrokenPoliciesError as error:
        raise HomeError(f"the policies may not be loaded:\n{error}") from error
    admit(aside, home.opa_token)
    shutil.rmtree(home.opa_bundle, ignore_errors=True)
    aside.rename(home.opa_bundle)
    return digest


def _keep_the_first(home: Home) -> str:
    digest = engine.policy_digest(POLICIES)
    folder = home.policies / digest
    if not folder.is_dir():
        aside = home.policies / f".{digest}.new"
        shutil.rmtree(aside, ignore_errors=True)
        home.policies.mkdir(mode=0o700, exist_ok=True)
        shutil.copytree(POLICIES, aside)
        aside.rename(folder)
    write_secret(home.policies / "current", digest + "\n")
    return digest


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
