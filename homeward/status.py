"""What runs in a home or a Compose site, where, and whether it is ready."""

import http.client
import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from homeward import probe, processes, seeing
from homeward.home import SERVICES, Home


def read(home: Home) -> dict[str, Any]:
    """Return the status of every part, asked now and not taken from a file alone."""
    if home.ca is not None:
        return _of_site(home)
    state = home.state()
    parts = state.get("parts", {})

    def of_service(name: str) -> dict[str, Any]:
        part = parts.get(name)
        if not part or processes.find(part) is None:
            return {"url": part["url"] if part else None, "pid": None, "ready": False}
        return {"url": part["url"], "pid": part["pid"], "ready": probe.is_ready(part["url"])}

    def of_part(name: str) -> dict[str, Any]:
        part = parts.get(name)
        alive = processes.find(part) is not None
        return {"url": part["url"] if part else None, "pid": part["pid"] if alive else None}

    with ThreadPoolExecutor(len(SERVICES)) as pool:
        services = dict(zip(SERVICES, pool.map(of_service, SERVICES), strict=True))
    nats, opa = of_part("nats"), {**state.get("opa", {}), **of_part("opa")}
    ready = all(one["ready"] for one in services.values()) and bool(nats["pid"] and opa["pid"])
    return {
        "ready": ready,
        "home": str(home.path),
        "services": services,
        "nats": nats,
        "opa": {"kind": opa.get("kind"), "version": opa.get("version"), **opa},
        "clock": state.get("clock", "real"),
        "restarts": {name: part["restarts"] for name, part in parts.items()},
        **seeing.summary(
            seeing.scrape({name: one["pid"] and one["url"] for name, one in services.items()})
        ),
    }


def _of_site(site: Home) -> dict[str, Any]:
    """Return the status of a Compose site as its published ports tell it.

    Which processes run, and how often they were started again, Docker knows alone. The engine has
    no port: `sharing` is ready only while it answers with the right policies.
    """
    tls = ssl.create_default_context(cafile=str(site.ca))
    urls = {name: site.url(name) for name in SERVICES}

    def of_service(name: str) -> dict[str, Any]:
        status, _ = probe.get(f"{urls[name]}/ready", tls=tls)
        ready = status == http.client.OK
        return {"url": urls[name], "pid": None, "answers": status != 0, "ready": ready}

    with ThreadPoolExecutor(len(SERVICES)) as pool:
        services = dict(zip(SERVICES, pool.map(of_service, SERVICES), strict=True))
    nats = {"url": site.nats_url, "pid": None, "answers": probe.greets(site.nats_url)}
    asked = {name: one["answers"] and one["url"] for name, one in services.items()}
    return {
        "ready": nats["answers"] and all(one["ready"] for one in services.values()),
        "home": str(site.path),
        "services": services,
        "nats": nats,
        "opa": {"url": None, "pid": None, "kind": site.state()["opa"]["kind"], "version": None},
        "clock": None,
        "restarts": {},
        **seeing.summary(seeing.scrape(asked, tls)),
    }


def table(found: dict[str, Any]) -> str:
    """Return the status as lines for a person."""
    rows = [(name, one, one["ready"]) for name, one in found["services"].items()]
    opa = found["opa"]
    rows.append(("nats", found["nats"], _is_there(found["nats"])))
    if found["clock"] is not None:  # of a home
        name = f"opa ({opa['kind']} {opa['version']})" if opa["kind"] else "opa"
        rows.append((name, opa, _is_there(opa)))
    width = max(len(str(name)) for name, *_ in rows)
    lines = [
        f"  {name:<{width}}  {'ready' if ready else 'wait ' if _is_there(one) else 'down '}"
        f"  {one['url'] or '-'}" + (f"  pid {one['pid']}" if one["pid"] else "")
        for name, one, ready in rows
    ]
    if found["clock"] == "test":
        lines.append("  the test clock is on: time can be set by hand")
    return "\n".join([f"home {found['home']}", *lines, "", *seeing.lines(found)])


def _is_there(one: dict[str, Any]) -> bool:
    return one["pid"] is not None or bool(one.get("answers"))


def show(home: Home, *, as_json: bool) -> int:
    """Print the status; return 0 only where all parts are ready."""
    found = read(home)
    print(json.dumps(found, indent=2) if as_json else table(found))
    return 0 if found["ready"] else 1
