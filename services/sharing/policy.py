"""Asking the policy engine: all but one well-formed answer of the right policies is no answer.

A plain HTTP client: the deadline, the one retry and the strict reading are all that there is to it,
and none of them may be somebody else's default.
"""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, StrictFloat, StrictInt, StrictStr, ValidationError

from messaging.errors import AwayError
from services.sharing.domain.answer import Answer, DeferTo, faults
from services.sharing.domain.document import GATES, Document
from services.sharing.policy_data import PolicyData

DEADLINE_S = 0.3
"""For the answer to one question, a retry included."""
_BYTES_MAX = 65_536
"""An answer is about 1 kB; more than this is something else."""
_AT_ONCE = 2
"""Questions under way at a time: more only queue inside the engine and eat the deadline there."""
_LIMITS = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
_PATH = "/v1/data/homeward/sharing/decision"
_PARAMS = {"strict-builtin-errors": "true", "provenance": "true"}
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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.data = data
        self.digest = digest
        self._token = token
        self._observe = observe
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=DEADLINE_S,
            trust_env=False,  # no proxy of the surroundings may see a document
            follow_redirects=False,
            transport=transport or httpx.AsyncHTTPTransport(trust_env=False, limits=_LIMITS),
        )

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
            except (TimeoutError, asyncio.CancelledError) as error:
                await self._let_go()
                if isinstance(error, TimeoutError):
                    raise NoDecisionError("time_out") from error
                raise
            except httpx.HTTPError as error:
                # not of the transport: a body that is not in the encoding that its header names
                raise NoDecisionError("not_json") from error
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
        await self._client.aclose()

    async def _let_go(self) -> None:
        """Close all connections: a question that was cut off may never give its own back.

        With both kept so, none could be asked any more (seen where the engine hung under load). A
        question beside it is asked once more, as after any connection that died.
        """
        with suppress(httpx.TransportError, OSError):
            await self._client._transport.aclose()

    async def _ask(self, question: bytes) -> bytes:
        try:
            return await self._post(question)
        except httpx.TransportError:
            # a kept connection may have died unseen, or the engine is just being restarted
            try:
                return await self._post(question)
            except httpx.TransportError as error:
                raise NoDecisionError("away") from error

    async def _post(self, question: bytes) -> bytes:
        headers = {"Content-Type": "application/json", **self._bearer()}
        stream = self._client.stream(
            "POST", _PATH, params=_PARAMS, content=question, headers=headers
        )
        async with stream as response:
            if response.status_code != httpx.codes.OK:
                raise NoDecisionError(f"status_{response.status_code // 100}xx")
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _BYTES_MAX:
                    raise NoDecisionError("too_large")
            return bytes(body)

    def _bearer(self) -> dict[str, str]:
        if self._token is None:
            return {}
        try:
            # while it is being replaced there are two in the file: the engine takes either
            return {"Authorization": f"Bearer {self._token.read_text().split()[0]}"}
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
