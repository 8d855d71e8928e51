"""What a home keeps of versions: their sources, their reports, and which one the engine loads."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts import policies as contract
from homeward.compose import Site
from homeward.governance import life_site
from homeward.governance.client import Access
from homeward.governance.drafts import write
from homeward.governance.saying import POLICIES
from homeward.keys import write_secret

FOLDER, CURRENT, REPORTS = "policy", "current", "reports"


def folder_of(access: Access, digest: str) -> Path:
    """Return where a home keeps the sources of a version."""
    return access.home.path / FOLDER / digest


def kept(access: Access, digest: str) -> Path | None:
    """Return the folder with the sources of a version, None where this home has none."""
    found = folder_of(access, digest)
    return found if found.is_dir() else None


def keep(access: Access, digest: str, files: Mapping[str, bytes]) -> Path | None:
    """Keep the sources of a version, whole or not at all; None where there is no home here."""
    target = folder_of(access, digest)
    if not access.home.exists or target.is_dir():
        return target if target.is_dir() else None
    aside = target.with_name(f".{digest}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.parent.mkdir(mode=0o700, exist_ok=True)
    write(files, aside)
    aside.rename(target)
    return target


def keep_report(access: Access, report: Mapping[str, Any]) -> Path | None:
    """Keep a report under its digest, for the second person to read."""
    if not access.home.exists:
        return None
    name = f"{report['kind']}-{contract.report_digest(report)[:16]}.json"
    file = access.home.path / FOLDER / REPORTS / name
    write_secret(file, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return file


def current(access: Access) -> str | None:
    """Return the digest that the engine is to load, None where nobody has said."""
    file = access.home.path / FOLDER / CURRENT
    return file.read_text(encoding="utf-8").strip() if file.is_file() else None


def let_load(access: Access, digest: str | None) -> None:
    """Have the engine load the version; None: what a new home begins with."""
    file = access.home.path / FOLDER / CURRENT
    if isinstance(access.home, Site):
        life_site.publish(access.home, POLICIES if digest is None else folder_of(access, digest))
    if digest is None:
        file.unlink(missing_ok=True)
    else:
        write_secret(file, digest + "\n")
