"""The policy engine: how policies become a bundle, and which OPA there is to run it."""

from homeward.engine.bundle import build_bundle, policy_digest
from homeward.engine.faults import BrokenPoliciesError, EngineMissingError, NoAnswerError
from homeward.engine.found import Engine, find_engine
from homeward.engine.serving import server_command

__all__ = [
    "BrokenPoliciesError",
    "Engine",
    "EngineMissingError",
    "NoAnswerError",
    "build_bundle",
    "find_engine",
    "policy_digest",
    "server_command",
]
