"""Ask a running part whether it is ready, without a library that takes long to load."""

import http.client
import json
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

GREETING = b"INFO "
"""What a broker says first, before it asks for TLS or for who is there."""


def get(
    url: str,
    timeout_s: float = 3.0,
    token: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    """Return status and body of a GET; status 0 where nobody answers in time.

    `tls` says whom to believe at an https address; without it those whom the machine believes.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=tls)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path or "/", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def is_ready(url: str, timeout_s: float = 3.0) -> bool:
    """Tell whether the service at `url` proved its round trips to database and broker."""
    return get(f"{url}/ready", timeout_s)[0] == http.client.OK


def greets(url: str, timeout_s: float = 3.0) -> bool:
    """Tell whether a broker answers at `url`."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port), timeout_s) as connection:
            return connection.recv(len(GREETING)) == GREETING
    except OSError:
        return False


def get_json(url: str, timeout_s: float = 3.0, token: str | None = None) -> Any:
    """Return the JSON body of a GET that was answered with 200, else None."""
    status, body = get(url, timeout_s, token)
    return json.loads(body) if status == http.client.OK else None
