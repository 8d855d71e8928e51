"""A folder of policies and its data files are plain: small, of this folder, and without tricks.

A draft is not trusted. What an anchor, a tag or a link could do with a person's machine is refused
before anything takes it in, in a sentence that says which file.
"""

import json
import stat
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import yaml

from homeward.engine.faults import BrokenPoliciesError

FILE_BYTES_MAX = 256 * 1024
"""The longest file of the tree is a tenth of this."""
FILES_MAX = 500
DEPTH_MAX = 24
"""Of names within names; a row of the table goes down to seven."""
_TAGS = {
    f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "bool", "int", "float", "null")
}


def plain_files(policies: Path, files: Iterable[Path]) -> list[Path]:
    """Return `files`. Raises BrokenPoliciesError for links that lead out, devices, huge ones."""
    found = list(files)
    faults = []
    if len(found) > FILES_MAX:
        faults.append(f"{policies}: holds {len(found)} files, more than {FILES_MAX}")
    home = policies.resolve()
    for file in found[:FILES_MAX]:
        name = file.relative_to(policies)
        try:
            about = file.stat()
        except OSError:
            faults.append(f"{name}: leads nowhere")
            continue
        if not file.resolve().is_relative_to(home):
            faults.append(f"{name}: leads out of the folder of policies")
        elif not stat.S_ISREG(about.st_mode):
            faults.append(f"{name}: is no plain file")
        elif about.st_size > FILE_BYTES_MAX:
            faults.append(f"{name}: is larger than {FILE_BYTES_MAX} bytes")
    if faults:
        raise BrokenPoliciesError(faults)
    return found


def read_text(file: Path, policies: Path) -> str:
    """Return a file as text. Raises BrokenPoliciesError where it is none."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BrokenPoliciesError([f"{file.relative_to(policies)}: is not UTF-8"]) from error


def read_yaml(content: bytes) -> dict[str, Any]:
    """Return what one data file holds. Raises YAMLError, ValueError or TypeError where it may not.

    What JSON could not say (a bare date, a number that is none) is refused, as OPA would see it.
    """
    loader = _Loader(content)
    try:
        node = loader.get_single_node()
        if node is None:
            raise ValueError("is not a set of names")
        _plain(node)
        read = loader.construct_document(node)
    finally:
        loader.dispose()
    json.dumps(read, allow_nan=False)
    if not isinstance(read, dict):
        raise ValueError("is not a set of names")
    return read


def _plain(root: yaml.Node) -> None:
    """Raise ValueError for an alias, a tag or a merge: each place stands once, in plain sight."""
    seen: set[int] = set()
    waiting = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        line = node.start_mark.line + 1
        if id(node) in seen:
            raise ValueError(f"line {line}: is meant in two places; write it out")
        seen.add(id(node))
        if depth > DEPTH_MAX:
            raise ValueError(f"line {line}: is too deep")
        if node.tag not in _TAGS:
            raise ValueError(f"line {line}: {node.tag.rsplit(':', 1)[-1]} is not allowed here")
        if isinstance(node, yaml.MappingNode):
            waiting += [(part, depth + 1) for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(part, depth + 1) for part in node.value]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which a name may stand only once: a second row POL-05 would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names: set[object] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str) or name in names:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the name {name} is no word or stands twice", node.start_mark
                )
            names.add(name)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping
