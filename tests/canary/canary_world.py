"""A worked case whose every text is marked, and then everything that can be wrong with a call."""

import asyncio
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import httpx
from canary_fields import Operation, Path, at, operations, put, takes_words, words_of
from canary_marks import BIRTH, Marks

from homeward.demo.world import World
from homeward.home import SERVICES, Home

_ID = re.compile(r"[A-Z]{1,3}-[A-Za-z0-9_-]+|[a-z0-9-]+-\d+")
AT_ONCE = 8
TOO_LONG = 120_000


class MarkedWorld(World):
    """Calls as in a demo, with a mark in each field that takes words; keeps every refusal."""

    def __init__(self, home: Home, marks: Marks) -> None:
        super().__init__(home)
        self.marks = marks
        self.operations: list[Operation] = []
        self.good: dict[str, tuple[str, str, Any]] = {}
        """A call that was accepted, for each operation: who, path, body."""
        self.marked: set[str] = set()
        """Places whose marks were accepted, as `service.field`."""
        self.refusals: list[tuple[str, int, bytes]] = []
        """What was asked, status and the whole answer."""
        self._plain = httpx.AsyncClient(timeout=30, trust_env=False)
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def learn(self) -> None:
        """Read what each service takes."""
        for name in SERVICES:
            answer = await self._plain.get(f"{self.home.url(name)}/openapi.json")
            self.operations += operations(name, answer.json())

    async def call(self, who, method, service, path, body=None, *, key=None, **more):
        """Call as the case does, with marks for its words."""
        operation = next(
            one for one in self.operations if one.service == service and one.fits(method, path)
        )
        if body is not None and path != "/clock":
            body = self._marked(operation, body)
        marked_key = f"{self.marks.word('header.Idempotency-Key')}-{key}" if key else None
        answer = await super().call(who, method, service, path, body, key=marked_key, **more)
        if body is not None:
            self.good[operation.name] = (who, path, body)
        return answer

    def _marked(self, operation: Operation, body: Any) -> Any:
        for path, text in list(words_of(body)):
            value = self._value(operation, path, text)
            if value != text:
                body = _set(body, path, value)
                self.marked.add(_where(operation, path))
        if operation.name == "POST referral/referrals":
            address = self.marks.address("referral.child.channels.email")
            mail = {"kind": "email", "address": address, "safe": "safe", "whose": "child"}
            child = {**body["child"], "channels": [mail, *body["child"].get("channels", ())]}
            body = {**body, "child": child}
        return body

    def _value(self, operation: Operation, path: Path, text: str) -> str:
        where, schema = _where(operation, path), at(operation.body or {}, path)
        if path[-1] == "date_of_birth":
            return BIRTH
        if _ID.fullmatch(text) or _is_time(text):
            return text
        if not schema or (not schema.get("type") and not schema.get("anyOf")):
            return self.marks.sentence(where) if " " in text else text  # a code else
        if not takes_words(schema):
            return text
        if re.fullmatch(r"[0-9 +]+", text):
            return self.marks.phone(where)
        return self.marks.word(where) if " " not in text else self.marks.sentence(where)

    # What can be wrong with a call

    async def break_everything(self) -> None:
        """Make every call in every wrong way."""
        ways = [way for one in self.operations for way in self._ways(one)]
        await asyncio.gather(*(self.ask(*way, **headers) for *way, headers in ways))

    def _ways(self, one: Operation) -> Iterator[tuple[str, str, str, str, Any, dict[str, str]]]:
        if one.template == "/clock":
            return
        who, path, body = self.good.get(one.name, ("worker", one.path("CH-none"), {}))
        word = self.marks.word(f"{one.name} path")
        yield who, one.method, one.service, one.path(word), body, {}
        yield who, one.method, one.service, f"{path}/{word}", body, {}
        yield who, "TRACE", one.service, f"{path}?x={word}", None, {}
        for kind, name in one.parameters:
            value = self.marks.sentence(f"{one.name} {kind} {name}")
            if kind == "query":
                for asked in (value, value * 300, "eyJ" + word):
                    url = str(httpx.URL(path).copy_merge_params({name: asked}))
                    yield who, one.method, one.service, url, None, {}
            elif kind == "header":
                yield who, one.method, one.service, path, body, {name: value * 20}
                same = {name: value}
                yield who, one.method, one.service, path, body, same
                yield who, one.method, one.service, path, {**body, word: word}, same
                yield who, one.method, one.service, path, _other(body), same
        for stranger in ("partner", "nobody", "liar"):
            yield stranger, one.method, one.service, path, body, {}
        if one.body is None:
            return
        sentence = self.marks.sentence(f"{one.name} body")
        for raw in (
            f'{{"given_name": "{sentence}", ',
            f'"{sentence}"',
            f'[["{sentence}"]]',
            f'{{"{sentence}": "\\ud800{word}"}}',
            f"given_name={sentence}",
            f'{{"a": "{sentence * 40_000}"}}',
        ):
            yield who, one.method, one.service, path, raw.encode(), {}
        for place, _ in one.leaves():
            where = _where(one, place)
            said = self.marks.sentence(f"{where} wrong")
            for wrong in (
                said,
                self.marks.code(f"{where} wrong code"),
                {said: said},
                f"{said}\0",
                f"\ud800{said}",
                said * (TOO_LONG // len(said)),
            ):
                yield who, one.method, one.service, path, put(body, place, wrong), {}
            beside = (*place[:-1], self.marks.word(f"{where} unknown key"))
            yield who, one.method, one.service, path, put(body, beside, said), {}

    async def ask(
        self, who: str, method: str, service: str, path: str, body: Any = None, **headers: str
    ) -> None:
        """Ask as somebody, whatever comes of it; a refusal is kept."""
        tokens: Mapping[str, str] = {
            **self._tokens,
            "partner": self.home.token("partner", "somebody"),
            "liar": self.marks.word("header.Authorization") + ".e30.e30",
        }
        sent = {"Idempotency-Key": uuid.uuid4().hex, "Content-Type": "application/json", **headers}
        if who in tokens:
            sent["Authorization"] = f"Bearer {tokens[who]}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self._at_once:
            answer = await self._plain.request(
                method, f"{self.home.url(service)}{path}", content=content, headers=sent
            )
        if answer.status_code >= 400:
            whole = repr(answer.headers.raw).encode() + answer.content
            self.refusals.append((f"{method} {service}{path[:60]}", answer.status_code, whole))


def _other(body: Any) -> Any:
    """Return a body that says something else: the same key may not be used for it."""
    return {**body, "received_at": "2026-10-11T17:00:00+00:00", "occurred_at": "2026-10-11T17:00Z"}


def _where(operation: Operation, path: Path) -> str:
    return ".".join([operation.service, *(str(step) for step in path if isinstance(step, str))])


def _set(body: Any, path: Path, value: Any) -> Any:
    step, *rest = path
    if isinstance(step, int):
        return [
            _set(one, tuple(rest), value) if rest and place == step
            else value if place == step else one
            for place, one in enumerate(body)
        ]  # fmt: skip
    return {**body, step: _set(body[step], tuple(rest), value) if rest else value}


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
