"""The health check of a container: `python -m messaging.ask /ready` asks the service beside it.

An image without curl has less that somebody who broke in could use. Nothing heavy is loaded, for
it runs every few seconds.
"""

import http.client
import os
import ssl
import sys

_TIMEOUT_S = 4.0


def ask(path: str) -> int:
    """Return the status of a GET to the service that this environment configures.

    Raises OSError or http.client.HTTPException where nobody answers.
    """
    port = int(os.environ.get("HOMEWARD_LISTEN", ":8080").rpartition(":")[2])
    connection: http.client.HTTPConnection
    if os.environ.get("HOMEWARD_TLS_CERTIFICATE"):
        trusted = ssl.create_default_context(cafile=os.environ.get("HOMEWARD_TLS_CA"))
        trusted.check_hostname = False  # it asks itself, and 127.0.0.1 is in few certificates
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=_TIMEOUT_S, context=trusted
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def main() -> None:
    """End with 0 only where the answer is 200; otherwise say what it was."""
    try:
        status = ask(sys.argv[1] if len(sys.argv) > 1 else "/ready")
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"no answer: {type(error).__name__}")
    if status != http.client.OK:
        sys.exit(f"answered {status}")


if __name__ == "__main__":
    main()
