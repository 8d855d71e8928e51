"""The command line of the server that answers one document, whichever engine runs it."""

import json
import os
import sys
from hashlib import sha256
from pathlib import Path

from homeward.engine.found import Engine


def server_command(engine: Engine, bundle: Path, port: int, token_file: Path) -> list[str]:
    """Return what a supervisor starts. The token's hash goes into the bundle, the token nowhere.

    Both kinds listen on 127.0.0.1, answer `GET /health` to anybody and
    `POST /v1/data/homeward/sharing/decision` to the holder of the token, and nothing else.
    """
    admit(bundle, token_file)
    if engine.kind == "library":
        return [sys.executable, "-m", "homeward.engine.library",
                "--bundle", str(bundle), "--port", str(port)]  # fmt: skip
    return [
        str(engine.path), "run", "--server",
        "--addr", f"127.0.0.1:{port}",
        "--authentication", "token", "--authorization", "basic",
        "--skip-version-check", "--log-level", "error",
        "--bundle", str(bundle),
    ]  # fmt: skip


def admit(bundle: Path, token_file: Path) -> None:
    """Let the holders of the tokens in `token_file` ask, and nobody who was admitted before.

    One token a line: the old and the new one while it is being replaced, else one.
    """
    tokens = token_file.read_text(encoding="utf-8").split()
    if not tokens:
        raise ValueError("the token file is empty")
    caller = bundle / "homeward_caller" / "data.json"
    caller.parent.mkdir(mode=0o700, exist_ok=True)
    content = json.dumps({"tokens_sha256": [sha256(one.encode()).hexdigest() for one in tokens]})
    with open(os.open(caller, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
