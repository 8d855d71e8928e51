"""OPA's engine as a library, with a bundle in it. Import only in the process that will ask it.

A Go library must be loaded after the last fork of a process, so nothing that forks imports this.
"""

import json
from pathlib import Path
from typing import Any

from opa_bindings import OpaEngine, OpaError  # type: ignore[import-untyped]

from homeward.engine.faults import NoAnswerError

__all__ = ["Loaded", "OpaError"]


class Loaded:
    """One engine and the revision of the bundle that it holds."""

    def __init__(self, bundle: Path | None, more: tuple[Path, ...] = ()) -> None:
        self._engine = OpaEngine()
        self.revision = ""
        if bundle is not None:
            self.revision = json.loads((bundle / ".manifest").read_bytes())["revision"]
            self._engine.add_data(json.loads((bundle / "data.json").read_bytes()))
            for file in (*sorted(bundle.rglob("*.rego")), *more):
                if file.name != "authz.rego":  # for OPA's own server; the library has another door
                    self._engine.add_policy(file.name, file.read_text(encoding="utf-8"))

    def document(self, path: str, given: Any) -> Any:
        """Return the document at dotted `path`. Raises OpaError."""
        return self._engine.eval_document(path, given)

    def value(self, expression: str, given: Any = None) -> Any:
        """Return the value of `expression`. Raises OpaError, NoAnswerError when undefined."""
        found = self._engine.eval_query(f"answer := {expression}", given)
        if not found:
            raise NoAnswerError("undefined")
        return found[0]["answer"]
