"""Does a document fit the published contract? Says which field does not, and never its value."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs

from homeward.engine.faults import BrokenPoliciesError
from homeward.engine.plain import plain_files

SCHEMA = Path("schema") / "decision-input.schema.json"
"""Within the policies' folder."""

_CODES = {"required": "missing", "type": "wrong_type", "enum": "unknown_code", "minimum": "too_low"}


def reader(policies: Path, raw: bool) -> Callable[[bytes], tuple[Any, dict[str, str] | None]]:
    """Return what reads one document: it and no error, or None and the error to answer with.

    What is judged is written anew from what was checked, so that two readers of the same bytes (a
    name twice, a lone surrogate, a number too large) can never see two documents.
    """
    fault_of = _anything if raw else checker(policies)

    def read(line: bytes) -> tuple[Any, dict[str, str] | None]:
        try:
            document = _parse(line)
        except (ValueError, RecursionError):
            return None, {"field": "", "code": "malformed_json"}
        fault = fault_of(document)
        return (None, fault) if fault else (document, None)

    return read


def checker(policies: Path) -> Callable[[object], dict[str, str] | None]:
    """Return what names the first field that does not fit the contract, and how."""
    try:
        plain_files(policies, [policies / SCHEMA])
        schema = json.loads((policies / SCHEMA).read_bytes())
        # a reference to elsewhere would make this machine fetch it
        validator = jsonschema_rs.Draft202012Validator(schema, retriever=_nothing)
    except (ValueError, RecursionError) as error:
        raise BrokenPoliciesError([f"{SCHEMA}: {error}"]) from error

    def fault_of(document: object) -> dict[str, str] | None:
        if validator.is_valid(document):
            return None
        return _named(next(iter(validator.iter_errors(document))))

    return fault_of


def _nothing(uri: str) -> Any:
    raise ValueError(f"{uri} is elsewhere")


def _named(error: jsonschema_rs.ValidationError) -> dict[str, str]:
    path = [str(part) for part in error.instance_path]
    keyword = str(error.schema_path[-1])
    if keyword == "required":
        path.append(str(getattr(error.kind, "property", "")))
    return {"field": ".".join(path), "code": _CODES.get(keyword, "does_not_fit")}


def _parse(line: bytes) -> Any:
    """Raise ValueError for what not every reader of JSON would read alike."""
    text = line.decode(json.detect_encoding(line))
    document = _DECODER.decode(text)
    if "\\u" in text:
        json.dumps(document, ensure_ascii=False).encode()  # half a character cannot be written
    return document


def _refused(_: str) -> None:
    raise ValueError


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError
    return value


_DECODER = json.JSONDecoder(parse_constant=_refused, parse_float=_finite)


def _anything(_: object) -> None:
    return None
