"""The rules in words: gates, conditions, transforms, recipients, what a child may say."""

from collections.abc import Iterable, Sequence
from typing import Any

from homeward.engine.rows import GATES
from homeward.governance.vocabulary import (
    BASES,
    CATEGORIES,
    CODED,
    CODES,
    GATE_NAMES,
    IS,
    IS_NOT,
    LIMITED,
    LIMITS,
    NAMED_RULES,
    OBLIGATIONS,
    OWNERS,
    ROLES,
    THINGS,
)

__all__ = ["BASES", "CATEGORIES", "GATE_NAMES", "NAMED_RULES", "OBLIGATIONS", "OWNERS"]

Data = dict[str, Any]


def spaced(name: str) -> str:
    """Return a code as words, where no better ones are known."""
    return name.replace("_", " ").replace(".", ": ")


def listed(words: Iterable[str], last: str = "and") -> str:
    """Return `a, b and c`."""
    told = list(words)
    if len(told) < 2:
        return "".join(told)
    return f"{', '.join(told[:-1])} {last} {told[-1]}"


def gate(name: str) -> str:
    """Return a gate with its name: `G2 (risk of harm)`."""
    return f"{name} ({GATE_NAMES[name]})" if name in GATE_NAMES else name


def category(name: str) -> str:
    """Return what an item is about, as it stands in a sentence."""
    return CATEGORIES.get(name, spaced(name))


def thing(category: str) -> str:
    """Return what somebody receives: `push and pull factors`."""
    return THINGS.get(category, spaced(category))


def quoted(text: object) -> str:
    """Return a text in quotation marks, at the end of a sentence."""
    told = str(text)
    return f"“{told}”" if told.endswith((".", "?", "!")) else f"“{told}”."


def condition(one: Any) -> str:
    """Return a condition of the table as a phrase, e.g. `the wish is not a private one`.

    A form that is not known comes back as it is written, so that nothing is left out.
    """
    if isinstance(one, str):
        return gate(one) if one in GATES else IS.get(one, spaced(one))
    return _of_one(*next(iter(one.items()))) if _is_single(one) else repr(one)


def _is_single(one: Any) -> bool:
    return isinstance(one, dict) and len(one) == 1


def _of_one(name: str, wanted: Any) -> str:
    if name == "any" and isinstance(wanted, list):
        return "either " + " or ".join(condition(part) for part in wanted)
    if name == "not":
        return _negated(wanted)
    if isinstance(wanted, list):
        return CODED.get(name, spaced(name) + " is {codes}").format(codes=_codes(name, wanted))
    if _is_single(wanted):
        ((limit, number),) = wanted.items()
        return LIMITED.get(name, spaced(name) + " is {limit} {number}").format(
            limit=LIMITS.get(limit, spaced(limit)), number=number
        )
    return repr({name: wanted})


def _negated(one: Any) -> str:
    if isinstance(one, str):
        return IS_NOT.get(
            one, f"not {condition(one)}" if one in GATES else f"it is not so that {condition(one)}"
        )
    if _is_single(one):
        ((name, wanted),) = one.items()
        if isinstance(wanted, list) and name in IS_NOT:
            return IS_NOT[name].format(codes=_codes(name, wanted))
    return f"it is not so that {condition(one)}"


def _codes(name: str, wanted: Sequence[Any]) -> str:
    if name == "reliability" and list(wanted) == ["A", "B", "C", "D", "E"]:
        return "A to E"
    return listed((CODES.get(str(one), spaced(str(one))) for one in wanted), "or")


def conditions(many: Sequence[Any]) -> str:
    """Return several conditions that must all be true as one phrase."""
    return listed(condition(one) for one in many if one != "always") or "always"


def transforms(names: Sequence[str], data: Data) -> str:
    """Return what passes, in the words of transforms.yaml."""
    if not names:
        return "the whole of it"
    return "; ".join(transform(one, data) for one in names)


def transform(name: str, data: Data) -> str:
    """Return one transform as a phrase."""
    about = (data.get("transforms") or {}).get(name)
    says = about.get("says") if isinstance(about, dict) else None
    if not isinstance(says, str) or not says:
        return spaced(name)
    return says[0].lower() + says[1:].rstrip(".")


def role(name: str) -> str:
    """Return who judges, by role."""
    return ROLES.get(name, spaced(name))


def recipient(name: str, data: Data) -> str:
    """Return a recipient by its type, or a seat by its role."""
    about = (data.get("recipients") or {}).get(name)
    if isinstance(about, dict) and isinstance(about.get("title"), str):
        return str(about["title"])
    return {"responsible_la": "Responsible authority", "host_la": "Host authority"}.get(
        name, spaced(name)
    )


def inside(title: str) -> str:
    """Return a title as it stands within a sentence."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def sentence(text: str) -> str:
    """Return a phrase as a sentence."""
    told = text[:1].upper() + text[1:]
    return told if told.endswith((".", "?", "!")) else told + "."
