"""Which of OPA's built-in functions a policy may call: those whose answer depends on nothing else.

Neither OPA's server nor the library can be told to refuse a built-in, and a policy that calls
`http.send` or `opa.runtime` carries the input, or the environment, out of the building. So every
module is parsed by the engine itself (`rego.parse_module`, which runs nothing) and each name in
the position of a function must be on the list below, or be a function of the policies themselves.
"""

from collections.abc import Iterator, Mapping
from typing import Any

ALLOWED = frozenset(
    """
    assign eq equal neq lt lte gt gte plus minus mul div rem and or
    internal.member_2 internal.member_3
    abs ceil floor round count sum product max min sort numbers.range
    is_array is_boolean is_null is_number is_object is_set is_string type_name to_number
    array.concat array.reverse array.slice
    object.filter object.get object.keys object.remove object.subset object.union object.union_n
    intersection union json.filter json.patch json.remove
    concat contains endswith format_int indexof lower replace split sprintf startswith substring
    trim trim_left trim_prefix trim_right trim_space trim_suffix upper strings.count
    """.split()  # noqa: SIM905 - a list to read, not to type
)

_UNDOTTED = frozenset(
    """
    all any bits cast_array cast_boolean cast_null cast_object cast_set cast_string eval
    glob graph http indexof_n io json_marshal json_unmarshal net opa print rand re_match rego
    regex set_diff time trace units urlquery uuid walk yaml
    """.split()  # noqa: SIM905 - a list to read, not to type
)
"""Names without a dot that OPA has, or had, as built-ins or as their first part."""

Node = Any


def forbidden(modules: Mapping[str, Node]) -> list[str]:
    """Return one line per call that is not allowed in `modules`, parsed modules by file name."""
    own = {name for module in modules.values() for name in _rule_names(module)}
    return [
        f"{file}: {what}"
        for file, module in sorted(modules.items())
        for what in sorted(set(_faults(module, own)))
    ]


def _faults(module: Node, own: set[str]) -> Iterator[str]:
    aliases = set()
    for one in module.get("imports") or ():
        path = [part["value"] for part in one["path"]["value"]]
        if path[0] not in ("data", "input", "rego", "future"):
            yield f"import of {'.'.join(map(str, path))} is not allowed"
        if path[0] == "data":
            aliases.add(one.get("alias") or path[-1])
    taken = {name.split(".", 1)[0] for name in ALLOWED} | _UNDOTTED
    yield from (f"the name {one} belongs to OPA" for one in sorted((aliases | own) & taken))
    for name in _called(module.get("rules") or ()):
        head = name.split(".", 1)[0]
        if name in ALLOWED or head in ("data", *aliases) or (name in own and "." not in name):
            continue
        yield f"the built-in {name} is not allowed"


def _rule_names(module: Node) -> Iterator[str]:
    for rule in module.get("rules") or ():
        yield rule["head"]["ref"][0]["value"]


def _called(root: Node) -> Iterator[str]:
    """Yield every name that stands where a function is called, or put in place of another."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            if node.get("type") == "call":
                yield _dotted(node["value"][0])
            terms = node.get("terms")
            if isinstance(terms, list):
                yield _dotted(terms[0])
            for replaced in node.get("with") or ():
                yield from _in_with(replaced)
            waiting += node.values()


def _in_with(replaced: Node) -> Iterator[str]:
    """`with f as g` makes g called where f is written: both must be data, input or allowed."""
    target, value = replaced["target"], replaced["value"]
    if _first(target) not in ("data", "input"):
        yield _dotted(target)
    if value.get("type") == "ref" and _first(value) not in ("data", "input"):
        yield _dotted(value)
    if value.get("type") == "var" and value["value"] in _UNDOTTED:
        yield value["value"]


def _first(term: Node) -> Any:
    value = term.get("value")
    return value[0].get("value") if isinstance(value, list) and value else value


def _dotted(term: Node) -> str:
    value = term.get("value")
    if term.get("type") != "ref" or not isinstance(value, list):
        return str(value)
    return ".".join(str(part.get("value")) for part in value)
