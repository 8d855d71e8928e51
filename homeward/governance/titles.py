"""What people call the rules: the titles that stand over them as METADATA."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from homeward.engine.bundle import policy_files

_HEAD = re.compile(r"^(?:default )?([a-z]\w*)\b", re.MULTILINE)
_BLOCK = re.compile(r"(?:^#.*\n)+(?=(?:default )?[a-z])", re.MULTILINE)


def described(rego: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield each rule with METADATA: its name, the place where it begins, what is said of it."""
    for block in _BLOCK.finditer(rego):
        head = _HEAD.match(rego, block.end())
        if head and block[0].startswith("# METADATA"):
            plain = "\n".join(line[2:] for line in block[0].splitlines()[1:])
            try:
                about = yaml.safe_load(plain)
            except yaml.YAMLError:
                continue
            if isinstance(about, dict):
                yield head[1], block.start(), about


def titles_of(policies: Path) -> dict[str, str]:
    """Return the title of each rule by its name."""
    return {
        name: str(about["title"])
        for file in policy_files(policies)
        if file.suffix == ".rego"
        for name, _, about in described(file.read_text(encoding="utf-8"))
        if about.get("title")
    }
