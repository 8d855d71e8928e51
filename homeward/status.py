"""What runs in a home, where, and whether it is ready."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from homeward import probe, processes, seeing
from homeward.home import SERVICES, Home


def read(home: Home) -> dict[str, Any]:
    """Return the status of every part, asked now and not taken from a file alone."""
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


def table(found: dict[str, Any]) -> str:
    """Return the status as lines for a person."""
    rows = [(name, one["url"], one["pid"], one["ready"]) for name, one in found["services"].items()]
    opa = (
        f"opa ({found['opa']['kind']} {found['opa']['version']})" if found["opa"]["kind"] else "opa"
    )
    rows += [
        (name, one["url"], one["pid"], one["pid"] is not None)
        for name, one in (("nats", found["nats"]), (opa, found["opa"]))
    ]
    width = max(len(str(name)) for name, *_ in rows)
    lines = [
        f"  {name:<{width}}  {'ready' if ready else 'down ' if pid is None else 'wait '}"
        f"  {url or '-'}" + (f"  pid {pid}" if pid else "")
        for name, url, pid, ready in rows
    ]
    if found["clock"] == "test":
        lines.append("  the test clock is on: time can be set by hand")
    return "\n".join([f"home {found['home']}", *lines, "", *seeing.lines(found)])


def show(home: Home, *, as_json: bool) -> int:
    """Print the status; return 0 only where all parts are ready."""
    found = read(home)
    print(json.dumps(found, indent=2) if as_json else table(found))
    return 0 if found["ready"] else 1
