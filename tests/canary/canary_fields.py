"""Every place of a service's API that takes something, read from its OpenAPI document."""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Operation:
    """One route and method."""

    service: str
    method: str
    template: str
    body: Mapping[str, Any] | None
    """Schema of what it takes, references resolved; None where it takes no body."""
    parameters: tuple[tuple[str, str], ...]
    """Where and name of what else it takes: path, query, header."""

    @property
    def name(self) -> str:
        return f"{self.method} {self.service}{self.template}"

    def fits(self, method: str, path: str) -> bool:
        return method == self.method and _pattern(self.template).fullmatch(path) is not None

    def path(self, value: str) -> str:
        """Return its path with `value` for each id."""
        return re.sub(r"\{[^}]*\}", value, self.template)

    def leaves(self) -> list[tuple[Path, Mapping[str, Any]]]:
        """Return each place in the body that holds a value, with its schema."""
        return list(_leaves(self.body, ())) if self.body is not None else []


def operations(service: str, document: Mapping[str, Any]) -> list[Operation]:
    """Return all operations of a service but the shared ones that take nothing."""
    found = []
    for template, methods in document["paths"].items():
        for method, what in methods.items():
            content = what.get("requestBody", {}).get("content", {}).get("application/json", {})
            schema = resolved(content["schema"], document) if content else None
            parameters = tuple((one["in"], one["name"]) for one in what.get("parameters", ()))
            found.append(Operation(service, method.upper(), template, schema, parameters))
    return found


def resolved(schema: Any, document: Mapping[str, Any]) -> Any:
    """Return a schema without references (there are no recursive ones)."""
    if isinstance(schema, list):
        return [resolved(one, document) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return resolved(document["components"]["schemas"][name], document)
    return {key: resolved(value, document) for key, value in schema.items()}


def kinds(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the alternatives of a schema."""
    several = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    return [kind for one in several for kind in kinds(one)] if several else [schema]


def at(schema: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """Return the schema at a place in a body; an empty one where anything may stand."""
    for step in path:
        for kind in kinds(schema):
            if isinstance(step, int) and kind.get("type") == "array":
                schema = kind.get("items", {})
                break
            if step in kind.get("properties", {}):
                schema = kind["properties"][step]
                break
            if isinstance(kind.get("additionalProperties"), dict):
                schema = kind["additionalProperties"]
                break
        else:
            return {}
    return schema


def takes_words(schema: Mapping[str, Any]) -> bool:
    """Tell whether any text may stand here, not only a code, a time or one of a list."""
    return any(
        kind.get("type") == "string" and not {"enum", "const", "pattern", "format"} & set(kind)
        for kind in kinds(schema)
    )


def _leaves(schema: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for kind in kinds(schema):
        if kind.get("type") == "array":
            yield from _leaves(kind.get("items", {}), (*path, 0))
        elif kind.get("properties"):
            for name, one in kind["properties"].items():
                yield from _leaves(one, (*path, name))
        elif kind.get("type") == "object":
            extra = kind.get("additionalProperties")
            yield from _leaves(extra if isinstance(extra, dict) else {}, (*path, "anything"))
        elif kind.get("type") != "null":
            yield path, kind
            return  # one alternative is enough: what differs is what it is given below


def put(body: Any, path: Path, value: Any) -> Any:
    """Return a copy of `body` with `value` at a place, made where it is not there."""
    if not path:
        return value
    step, *rest = path
    if isinstance(step, int):
        some = list(body) if isinstance(body, list) else []
        first = copy.deepcopy(some[0]) if some else None
        return [put(first, tuple(rest), value), *copy.deepcopy(some[1:])]
    whole = copy.deepcopy(body) if isinstance(body, dict) else {}
    whole[step] = put(whole.get(step), tuple(rest), value)
    return whole


def words_of(body: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield each text in a body with its place."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield from words_of(value, (*path, name))
    elif isinstance(body, list):
        for place, value in enumerate(body):
            yield from words_of(value, (*path, place))
    elif isinstance(body, str):
        yield path, body


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)))
