"""Read a Homeward feed with nats-py: open, check, hand over, acknowledge.

    pip install "nats-py[nkeys]" joserfc
    python reader.py northshire-police FOLDER

FOLDER holds the four files of docs/partners.md. Each release is one line of JSON on standard
output; it ends when nothing is left. Exit 1: something was not ours, and is not acknowledged.
"""

import asyncio
import json
import ssl
import sys
from pathlib import Path

import nats
from joserfc import jwe, jws
from joserfc.jwk import JWKRegistry, KeySet

KEY, FOLDER = sys.argv[1], Path(sys.argv[2])
RELEASE, VOID = "homeward.release.v1", "homeward.void.v1"
TYP = {RELEASE: "homeward-release+jwt", VOID: "homeward-void+jwt"}


def read(name: str) -> dict:
    return json.loads((FOLDER / name).read_text())


context, homeward = read(f"{KEY}.json"), read("homeward.jwks.json")
mine = JWKRegistry.import_key(read(f"{KEY}.jwk.json"))
ours = {key.kid: key for key in KeySet.import_key_set({"keys": homeward["keys"]})}


def opened(event: dict) -> dict:
    """Return the signed claims of an event. Raises ValueError where it is not what it says."""
    if event["type"] not in TYP:
        raise ValueError(f"a type that this program does not know: {event['type']}")
    data = event["data"]
    if event["type"] == RELEASE:
        wrapped = jwe.decrypt_compact(data, mine, algorithms=["ECDH-ES+A256KW", "A256GCM"])
        data = wrapped.plaintext.decode()
    header = jws.extract_compact(data.encode()).headers()
    if header.get("typ") != TYP[event["type"]] or header.get("kid") not in ours:
        raise ValueError("not signed by Homeward, or as something else")
    signed = jws.deserialize_compact(data, ours[header["kid"]], algorithms=["Ed25519"])
    claims = json.loads(signed.payload)
    # what stands outside the signature has to stand inside it too
    wanted = {
        "iss": homeward["issuer"],
        "aud": KEY,
        "jti": event["subject"],
        "number": event["number"],
    }
    for name, value in wanted.items():
        if claims.get(name) != value:
            raise ValueError(f"number {event['number']}: {name} differs")
    return {"type": event["type"], **claims}


async def main() -> None:
    authority = context.get("ca")
    client = await nats.connect(
        context["url"],
        nkeys_seed=str(FOLDER / f"{KEY}.nk"),
        inbox_prefix=context["inbox_prefix"].encode(),
        tls=ssl.create_default_context(cafile=authority) if authority else None,
    )
    js = client.jetstream(prefix=context["jetstream_api_prefix"])
    feed = await js.pull_subscribe_bind(KEY, f"FEED_{KEY}")
    try:
        while True:
            for message in await feed.fetch(50, timeout=1):
                claims = opened(json.loads(message.data))
                print(json.dumps(claims), flush=True)  # store it; a repeat has the same `jti`
                await message.ack_sync()
    except TimeoutError:
        pass  # nothing is left
    finally:
        await client.close()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except Exception as error:
        sys.exit(f"reader: {type(error).__name__} {error}")
