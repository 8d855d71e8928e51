"""Stands for `referral` and `interview` where they are not what is measured: answers at once."""

import json
import sys
from typing import Any

import uvicorn

WORDS = {
    "text": "Words as long as those that a child says in a few sentences. " * 6,
    "fields": {"codes": ["family_conflict", "boundaries_dispute"], "place_type": "public_place"},
    "summary": "Two lines that a worker wrote about what was said.",
    "extracts": ["One sentence that may be quoted."],
}


def child(child_id: str) -> dict[str, Any]:
    """Return what `referral` says about a child."""
    return {
        "id": child_id, "version": 1, "given_name": "Given", "family_name": "Family",
        "date_of_birth": "2011-03-02", "identity_status": "verified", "legal_status": "home",
        "locality": "northshire", "responsible_la": "northshire", "host_la": None,
        "address_confidential": False, "channels": [],
    }  # fmt: skip


def words(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what `interview` says of one item."""
    return {"parts": {name: WORDS[name] for name in asked["parts"] if name in WORDS}}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer `GET /children/{id}`, `POST /items/{id}/fields` and the same of several items."""
    if scope["type"] != "http":
        return
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    place, _, rest = scope["path"].strip("/").partition("/")
    if place == "children":
        answer: dict[str, Any] = child(rest)
    else:
        asked = json.loads(body)
        answer = (
            {"items": [{"item_id": one["item_id"], **words(one)} for one in asked["items"]]}
            if "items" in asked
            else words(asked)
        )
    data = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
