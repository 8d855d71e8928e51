"""Are the policies in order? What a machine can say before a person reads them."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from contracts.policies import UnfitPoliciesError
from contracts.policies import check as whole
from homeward.engine.bundle import build_bundle, parse, policy_files, read_data
from homeward.engine.faults import BrokenPoliciesError, NoAnswerError
from homeward.engine.fit import SCHEMA
from homeward.engine.found import QUERY_S, Engine, find_engine, query
from homeward.engine.known_rows import faults_of_recipients, faults_of_rows
from homeward.engine.patience import CutOffError, run
from homeward.engine.rows import GATES, NAMES
from homeward.engine.table_schema import PUBLISHED, filled, form

_UNFIT = {
    "policy.no_label": "policy_version has to stand there once, as a plain word",
    "policy.label_of_a_lockdown": "policy_version may not end as that of a lockdown does",
    "policy.no_lockdown": "lockdown has to stand there once, as a plain `false`",
}
DATA_SCHEMA = Path(__file__).with_name("data.schema.json")
DECIDING_S = 20.0
"""Of work, to load policies and decide one document; today's take one."""
_HEAD = re.compile(r"^(?:default )?([a-z]\w*)\b", re.MULTILINE)
_BLOCK = re.compile(r"(?:^#.*\n)+(?=(?:default )?[a-z])", re.MULTILINE)


def faults_of(policies: Path) -> list[str]:
    """Return everything that is wrong, in sentences; empty where all is in order."""
    try:
        engine = find_engine()
        modules = parse(policies, engine)
        data = read_data(policies)
    except BrokenPoliciesError as error:
        return error.faults
    # what has not the form cannot be read further
    if shapeless := [*_data_faults(data), *_table_faults(data)]:
        return [*shapeless, *_annotations(policies)]
    return [
        *_compilation(policies, engine),
        *_annotations(policies),
        *faults_of_rows(data),
        *_conditions(data, _named(modules)),
        *faults_of_recipients(data),
        *_lists(policies, data),
        *_published(policies, data),
        *_version(policies),
    ]


def _compilation(policies: Path, engine: Engine) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="homeward-") as folder:
        bundle = Path(folder) / "bundle"
        build_bundle(policies, bundle)
        try:
            rules = "data.homeward.sharing.decision.rule_ids"
            held = query(engine, rules, {}, bundle, DECIDING_S)
        except CutOffError as error:
            yield f"an empty document is not decided: {error}"
            return
        except NoAnswerError as error:
            yield f"does not compile: {error}"
            return
        if held != ["INCOMPLETE"]:
            yield "an empty document is not held as INCOMPLETE"
    if engine.kind == "command":
        for task in (["check", "--strict", str(policies)], ["fmt", "--list", str(policies)]):
            done = run([str(engine.path), *task], "", QUERY_S)
            if done.returncode or done.stdout.strip():
                yield f"opa {task[0]}: {(done.stdout + done.stderr).strip()[:2000]}"


def _annotations(policies: Path) -> Iterator[str]:
    """Every rule carries a title and a source where it is first written."""
    for file in policy_files(policies):
        if file.suffix != ".rego":
            continue
        text = file.read_text(encoding="utf-8")
        described = {}
        for block in _BLOCK.finditer(text):
            head = _HEAD.match(text, block.end())
            if head and block[0].startswith("# METADATA"):
                described[head[1]] = block[0]
        for name in dict.fromkeys(_HEAD.findall(text)):
            if name in ("package", "import", "else"):
                continue
            about = _metadata(described.get(name, ""))
            if not about.get("title") or not (about.get("custom") or {}).get("source"):
                yield f"{file.name}: {name} has no METADATA with a title and custom.source"


def _metadata(block: str) -> dict[str, Any]:
    plain = "\n".join(line[2:] for line in block.splitlines()[1:])
    try:
        about = yaml.safe_load(plain)
    except yaml.YAMLError:
        return {}
    return about if isinstance(about, dict) else {}


def _data_faults(data: dict[str, Any]) -> Iterator[str]:
    """What is missing or of a wrong kind in the data besides the table."""
    validator = jsonschema_rs.Draft202012Validator(json.loads(DATA_SCHEMA.read_bytes()))
    for error in validator.iter_errors(data):
        yield f"{'.'.join(map(str, error.instance_path)) or 'data'}: {error.message}"


def _table_faults(data: dict[str, Any]) -> Iterator[str]:
    validator = jsonschema_rs.Draft202012Validator(form())
    rows = data.get("table")
    if not isinstance(rows, dict):
        return  # said already
    for error in validator.iter_errors({**rows, "everywhere": data.get("everywhere")}):
        yield f"table: {'.'.join(map(str, error.instance_path))}: {error.message}"


def _named(modules: dict[str, Any]) -> set[str]:
    """Return the conditions that are rules, by what the table calls them."""
    rules = {rule["head"].get("name") for m in modules.values() for rule in m["rules"]}
    return {name for name, rule in NAMES.items() if rule in rules}


def _conditions(data: dict[str, Any], named: set[str]) -> Iterator[str]:
    """What the table says is known: conditions, codes, transforms, seats."""
    yield from (
        f"codes: {n} is a fact and a condition" for n in sorted(named & data["facts"].keys())
    )
    seats = {role for one in data["recipients"].values() for role in one["roles"]}
    seats |= set(data["recipients"])
    places = {"everywhere": {"paths": data["everywhere"]}, **data["table"]}
    for name, row in places.items():
        for text in (row, *row.get("earlier", ())):
            for path in text["paths"]:
                when = [*text.get("every_path_needs", ()), *path["when"]]
                yield from (f"{name}: {one}" for c in when for one in _unknown(c, data, named))
                written = {g for c in path["when"] for g in _alternatives(c)}
                if not written & (GATES | {"agreed"}) and "always" not in path["when"]:
                    yield f"{name}: a path without agreement or gate has to say `always`"
                yield from (
                    f"{name}: transform {one} is not described"
                    for one in sorted(set(path["transforms"]) - data["transforms"].keys())
                )
                yield from (f"{name}: no seat {one}" for one in set(path.get("for", ())) - seats)


def _alternatives(condition: Any) -> list[str]:
    if isinstance(condition, str):
        return [condition]
    return [one for one in condition.get("any", ()) if isinstance(one, str)]


def _unknown(condition: Any, data: dict[str, Any], named: set[str]) -> Iterator[str]:
    if isinstance(condition, str):
        kind = data["facts"].get(condition)
        if condition not in named and kind not in ("truth", "text", "list"):
            yield f"condition {condition} is not known"
        return
    ((name, wanted),) = condition.items()
    if name in ("any", "not"):
        for one in wanted if name == "any" else [wanted]:
            yield from _unknown(one, data, named)
    elif isinstance(wanted, list):
        if data["facts"].get(name) != "code" or set(wanted) - set(data["codes"].get(name, ())):
            yield f"{name} has no codes {wanted}"
    elif data["facts"].get(name) != "number":
        yield f"{name} is no number"


def _lists(policies: Path, data: dict[str, Any]) -> Iterator[str]:
    """The published schema repeats the closed lists; both must say the same."""
    schema = json.loads((policies / SCHEMA).read_bytes())
    kinds = (*data["recipients"], *data["codes"]["recipient_type"])
    known = {**data["codes"], "recipient_type": list(dict.fromkeys(kinds))}
    lists = {tuple(sorted(codes)) for codes in known.values()}
    for codes in _enums(schema):
        if tuple(sorted(codes)) not in lists:
            yield f"{SCHEMA}: {_unlike(codes, known)}"
    if set(data["row_number"]) != set(data["codes"]["category"]):
        yield "codes: category and row_number differ"
    for name, kind in data["facts"].items():
        if kind == "code" and name not in data["codes"]:
            yield f"codes: the fact {name} has no closed list"
    rules = {f"HD{n}" for n in range(1, 11)} | {"H1", "REQ", "SWEEP", "INCOMPLETE", "LOCKDOWN"}
    yield from (f"reasons: none for {one}" for one in sorted(rules - data["reasons"].keys()))


def _unlike(codes: list[str], known: dict[str, list[str]]) -> str:
    """Say what a list lacks beside the one of codes.yaml that it is most like."""

    def common(name: str) -> int:
        return len({*codes} & {*known[name]})

    name = max(known, key=common)
    wanted = known[name]
    if not common(name):
        return f"{codes} is no closed list of codes.yaml"
    parts = (
        ("lacks", [one for one in wanted if one not in codes]),
        ("has besides", [one for one in codes if one not in wanted]),
    )
    return f"{name} " + " and ".join(f"{how} {', '.join(some)}" for how, some in parts if some)


def _version(policies: Path) -> Iterator[str]:
    """A version has a plain label, and a plain switch to lock everything down with."""
    files = {f.relative_to(policies).as_posix(): f.read_bytes() for f in policy_files(policies)}
    try:
        whole(files)
    except UnfitPoliciesError as error:
        yield f"{error.file or 'the policies'}: {_UNFIT.get(error.code, error.code)}"


def _published(policies: Path, data: dict[str, Any]) -> Iterator[str]:
    """Editors complete rows from a file that follows from the data."""
    file = policies / PUBLISHED
    try:
        told = json.loads(file.read_bytes())
    except (OSError, ValueError):
        told = None
    if told != filled(data):
        yield f"{PUBLISHED}: does not follow from the data; `homeward policy schema` writes it"


def _enums(node: Any) -> Iterator[list[str]]:
    if isinstance(node, dict):
        if "enum" in node:
            yield node["enum"]
        for value in node.values():
            yield from _enums(value)
