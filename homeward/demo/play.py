"""Play cases in a fresh home: start it, let people act at their times, look at what came of it."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from homeward import up
from homeward.compose import Site
from homeward.demo import look, page, partners, report
from homeward.demo.case import Case, Step
from homeward.demo.cases import CASES
from homeward.demo.results import DemoFound
from homeward.demo.wording import day_and_time
from homeward.demo.world import StepFailedError, World
from homeward.enrolment import PartnerError
from homeward.feed import FeedError
from homeward.feed_open import BadEventError
from homeward.home import Home, HomeError

PAGE = "demo.html"


def demo(
    names: Sequence[str],
    *,
    folder: Path | None,
    keep: bool,
    json_file: Path | None,
    site: Path | None = None,
) -> int:
    """Play `names` (all when empty); return 0 where everything came out as the cases say.

    1: something did not; 2: an unknown case or a folder that is not empty; 75: cannot start here.
    With a `site` nothing is started or stopped: the cases are played against what runs there.
    """
    unknown = [name for name in names if name not in CASES]
    if unknown:
        print(f"homeward: no case {unknown[0]}; there are: {' '.join(CASES)}", file=sys.stderr)
        return 2
    if folder is not None and folder.exists() and any(folder.iterdir()):
        print(f"homeward: {folder} is not empty; a demo needs a new home", file=sys.stderr)
        return 2
    if site is not None and (folder is not None or not isinstance(Home.at(site), Site)):
        print(f"homeward: {site} is not the folder of a site, or --home is given too: "
              "see `homeward site make`", file=sys.stderr)  # fmt: skip
        return 2
    home = Home.at(site or folder or tempfile.mkdtemp(prefix="homeward-demo-"))
    cases = [case for name, case in CASES.items() if name in names or not names]
    try:
        found = play(home, cases, keep=keep)
    except (HomeError, PartnerError, FeedError, BadEventError) as error:
        print(f"homeward: {error}\nLogs: {home.logs}", file=sys.stderr)
        return 75 if isinstance(error, HomeError) else 1
    except StepFailedError as error:
        print(f"homeward: a step was answered in another way than expected.\n{error}\n"
              f"Logs: {home.logs}", file=sys.stderr)  # fmt: skip
        return 1
    print(report.report(found))
    if json_file is not None:
        shown = found.model_dump(mode="json")["cases"]
        json_file.write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    print(f"\n   A page to read and print: {home.path / PAGE}")
    print(f"   {'It stays up' if keep or site else 'Stopped'}; the home is {home.path}")
    return 1 if found.failed or not found.ledger_holds else 0


def play(home: Home, cases: Sequence[Case], *, keep: bool) -> DemoFound:
    """Start `home`, play the cases, write the page; stop it unless it is to be kept."""
    began = time.monotonic()
    keep = keep or isinstance(home, Site)
    if isinstance(home, Site):
        _say(f"Looking whether the site of {home.path} is up, new, and with the test clock")
        home.fit_for_demo()
    else:
        _say(f"Starting broker, policy engine and services in {home.path}")
        up.start_detached(home, env={"HOMEWARD_CLOCK": "test"})
    try:
        _say(f"Ready after {home.state().get('ready_after_s', 0):g} s. Partners bring their keys.")
        partners.join(home)
        started = time.monotonic()
        world, found = asyncio.run(_play(home, cases))
        found.took_s = round(time.monotonic() - started, 1)
        look.at_feeds(home, found)
        look.at_ledger(home, found)
        look.compare(cases, found, world)
    except StepFailedError:
        _say(f"It did not end well; logs are in {home.logs}")
        raise
    finally:
        if not keep:
            _say("Stopping")
            up.stop(home)
    (home.path / PAGE).write_text(page.render(found))
    _say(f"Played in {found.took_s:g} s, {time.monotonic() - began:.0f} s with starting.")
    return found


async def _play(home: Home, cases: Sequence[Case]) -> tuple[World, DemoFound]:
    """Let all steps of all cases happen in order of time."""
    steps = sorted(
        ((case, step) for case in cases for step in case.steps), key=lambda one: one[1].at
    )
    world = World(home)
    try:
        await world.set_time(steps[0][1].at - timedelta(hours=1))
        for case, step in steps:
            await _happen(world, case, step)
        found = DemoFound(played_at=datetime.now(UTC))
        status = home.state().get("opa", {})
        found.engine = f"OPA {status.get('version', '')} ({status.get('kind', '')})"
        for case in cases:
            found.cases[case.key] = await look.at_case(world, case)
    finally:
        await world.close()
    return world, found


async def _happen(world: World, case: Case, step: Step) -> None:
    _say(f"{day_and_time(step.at):<23} {case.key}  {step.text}")
    if not step.actions:
        return
    await world.set_time(step.at)
    for act in step.actions:
        try:
            await act(world)
        except StepFailedError as error:
            raise StepFailedError(f"{case.key}, {day_and_time(step.at)}: {error}") from error
        await world.rest()


def _say(text: str) -> None:
    print(f"   {text}", file=sys.stderr, flush=True)
