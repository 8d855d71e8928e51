"""Asking the policy engine: all but one well-formed answer of the right policies is no answer.

Plain HTTP: the deadline, the one retry and the strict reading are all that there is to it, and none
of them may be somebody else's default.
"""

import asyncio
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, StrictFloat, StrictInt, StrictStr, ValidationError

from messaging import trust
from messaging.errors import AwayError
from messaging.kept import BrokenError, Kept, Reply, TooLargeError, Way
from services.sharing.domain.answer import Answer, DeferTo, faults
from services.sharing.domain.document import GATES, Document
from services.sharing.policy_data import PolicyData

DEADLINE_S = 0.3
"""For the answer to one question, a retry included."""
_BYTES_MAX = 65_536
"""An answer is about 1 kB; more than this is something else."""
_AT_ONCE = 2
"""Questions under way at a time: more only queue inside the engine and eat the deadline there."""
_TARGET = "/v1/data/homeward/sharing/decision?strict-builtin-errors=true&provenance=true"
"""A built-in that fails would otherwise be merely undefined."""

_OWNERS = frozenset({"dsl", "dsl_and_ig", "dpo", "dpo_and_dsl"})
_BASES = frozenset({"PT", "LO", "RL", "VI", "CR", "ST"})
_OBLIGATIONS = frozenset(
    {
        "log_reason_share_or_not",
        "recipient_ack",
        "recall_ready",
        "tell_child_first",
        "same_day",
        "log_within_1h",
        "dsl_signoff",
        "label_provenance",
    }
)


class NoDecisionError(Exception):
    """The engine gave nothing that may be acted on; `code` says what was wrong, for a counter."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _DeferTo(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    owner: StrictStr
    due_h: StrictInt | StrictFloat


class _Result(BaseModel):
    """The answer exactly as section 6 pins it; a truthy string is no true, a number no code."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    decision: Literal["allow", "allow_redacted", "defer", "deny"]
    rule_ids: list[StrictStr]
    gates_used: list[StrictStr]
    basis: list[StrictStr]
    transforms: list[StrictStr]
    obligations: list[StrictStr]
    reasons: list[StrictStr]
    defer_to: _DeferTo | None
    policy_version: StrictStr


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose names all differ: of two answers nobody knows which is meant."""
    whole = dict(pairs)
    if len(whole) != len(pairs):
        raise ValueError
    return whole


def _refused(_: str) -> None:
    """Refuse NaN and Infinity, which are no JSON."""
    raise ValueError


class Policy:
    """The engine, its address and the digest of the policies that may decide."""

    def __init__(
        self,
        url: str,
        digest: str,
        data: PolicyData,
        token: Path | None = None,
        *,
        observe: Callable[[float], None] = lambda _: None,
        way: Way | None = None,
    ) -> None:
        """Prepare, without connecting; tests put a `way` to an engine of their own in its place."""
        self.data = data
        self.digest = digest
        self._url = url
        self.way: Way = way or Kept(url, trust.trusting(None) if url.startswith("https") else None)
        self._token = token
        self._observe = observe
        self._limit = asyncio.Semaphore(_AT_ONCE)

    def other(self, digest: str, data: PolicyData) -> "Policy":
        """Return what asks the same engine in the name of another version, on the same way."""
        return Policy(self._url, digest, data, self._token, observe=self._observe, way=self.way)

    async def decide(self, document: Document) -> Answer:
        """Return the answer about `document`. Raises NoDecisionError: the pair is then held.

        Also where something failed that nobody foresaw: any other error would leave the pair
        without a hold on record, and an urgent one without a page.
        """
        try:
            return await self._decide(document)
        except NoDecisionError:
            raise
        except Exception as error:
            raise NoDecisionError("unforeseen") from error

    async def _decide(self, document: Document) -> Answer:
        question = json.dumps({"input": document}, separators=(",", ":")).encode()
        async with self._limit:
            began = time.perf_counter()
            try:
                async with asyncio.timeout(DEADLINE_S):
                    body = await self._ask(question)
            except TimeoutError as error:
                raise NoDecisionError("time_out") from error
            took_s = time.perf_counter() - began
        answer = self._read(body)
        self._observe(took_s)
        return answer

    async def ready(self) -> None:
        """Prove a round trip: the right policies hold what does not fit the contract."""
        try:
            answer = await self.decide({})
        except NoDecisionError as error:
            raise AwayError("policy", error.code) from error
        if answer.decision != "defer":
            raise AwayError("policy", "not_closed")

    async def close(self) -> None:
        """Close its connections."""
        await self.way.close()

    async def _ask(self, question: bytes) -> bytes:
        try:
            return await self._post(question)
        except BrokenError:
            # a kept connection may have died unseen, or the engine is just being restarted
            try:
                return await self._post(question)
            except BrokenError as error:
                raise NoDecisionError("away") from error

    async def _post(self, question: bytes) -> bytes:
        headers = [("Content-Type", "application/json"), *self._bearer()]
        try:
            reply = await self.way.ask("POST", _TARGET, headers, question, most=_BYTES_MAX)
        except TooLargeError as error:
            raise NoDecisionError("too_large") from error
        return self._body(reply)

    @staticmethod
    def _body(reply: Reply) -> bytes:
        if reply.status != HTTPStatus.OK:
            raise NoDecisionError(f"status_{reply.status // 100}xx")
        if reply.encoding != "identity":
            raise NoDecisionError("not_json")  # nobody asked for a packed answer
        return reply.body

    def _bearer(self) -> list[tuple[str, str]]:
        if self._token is None:
            return []
        try:
            # while it is being replaced there are two in the file: the engine takes either
            return [("Authorization", f"Bearer {self._token.read_text().split()[0]}")]
        except (OSError, IndexError) as error:
            raise NoDecisionError("no_token") from error

    def _read(self, body: bytes) -> Answer:
        try:
            whole = json.loads(body, object_pairs_hook=_once, parse_constant=_refused)
        except (ValueError, RecursionError) as error:
            raise NoDecisionError("not_json") from error
        if not isinstance(whole, dict) or "result" not in whole:
            raise NoDecisionError("no_result")
        if not self.digest or self._digest(whole) != self.digest:
            raise NoDecisionError("digest")
        try:
            result = _Result.model_validate(whole["result"])
        except (ValidationError, RecursionError) as error:
            raise NoDecisionError("malformed") from error
        return self._checked(result)

    @staticmethod
    def _digest(whole: dict[str, Any]) -> str | None:
        """Return the digest of the one bundle loaded; of several nobody knows which ruled."""
        try:
            (bundle,) = whole["provenance"]["bundles"].values()
            revision = bundle["revision"]
        except (LookupError, TypeError, ValueError, AttributeError):
            return None
        return revision if isinstance(revision, str) else None

    def _checked(self, result: _Result) -> Answer:
        answer = Answer(
            decision=result.decision,
            rule_ids=tuple(result.rule_ids),
            policy_version=result.policy_version,
            gates_used=tuple(result.gates_used),
            basis=tuple(result.basis),
            transforms=tuple(result.transforms),
            obligations=tuple(result.obligations),
            reasons=tuple(result.reasons),
            defer_to=None
            if result.defer_to is None
            else DeferTo(result.defer_to.owner, result.defer_to.due_h),
        )
        known = (
            (answer.rule_ids, self.data.rule_ids),
            (answer.gates_used, frozenset(GATES)),
            (answer.basis, _BASES),
            (answer.transforms, frozenset(self.data.transforms)),
            (answer.obligations, _OBLIGATIONS),
            ((answer.defer_to.owner,) if answer.defer_to else (), _OWNERS),
        )
        if answer.policy_version != self.data.version:
            raise NoDecisionError("digest")  # whatever it is, it is not what is loaded here
        if any(set(codes) - closed for codes, closed in known):
            raise NoDecisionError("unknown_code")
        if found := faults(answer):
            raise NoDecisionError(found[0])
        return answer
