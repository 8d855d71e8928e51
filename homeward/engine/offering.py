"""A bundle offered to the OPA beside it: OPA polls over HTTP, and reads a file only once.

What is offered is signed, and OPA verifies it; whoever could change it here could not make OPA load
it. Nothing else is served, and nothing is written.
"""

import signal
import sys
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATH = "/bundle.tar.gz"
IDLE_S = 60


def offer(folder: str, host: str, port: int) -> None:
    """Offer `bundle.tar.gz` of `folder`, as it is at each question, until told to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # process 1 would not hear of it
    with server(Path(folder), host, port) as serving:
        serving.serve_forever()


def server(folder: Path, host: str, port: int) -> ThreadingHTTPServer:
    """Return the server, listening."""

    class Offered(BaseHTTPRequestHandler):
        """Answers one path."""

        protocol_version = "HTTP/1.1"
        timeout = IDLE_S

        def do_GET(self) -> None:
            try:
                content = (folder / PATH[1:]).read_bytes() if self.path == PATH else None
            except OSError:
                content = None
            if content is None:
                self._answer(HTTPStatus.NOT_FOUND, b"", "")
                return
            tag = f'"{sha256(content).hexdigest()}"'
            if self.headers.get("If-None-Match") == tag:
                self._answer(HTTPStatus.NOT_MODIFIED, b"", tag)
            else:
                self._answer(HTTPStatus.OK, content, tag)

        def _answer(self, status: HTTPStatus, content: bytes, tag: str) -> None:
            self.send_response(status)
            if tag:
                self.send_header("ETag", tag)
            self.send_header("Content-Type", "application/gzip")
            if status != HTTPStatus.NOT_MODIFIED:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing of what goes well each few seconds."""

    serving = ThreadingHTTPServer((host, port), Offered)
    serving.daemon_threads = True
    return serving
