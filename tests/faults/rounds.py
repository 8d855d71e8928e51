"""Rounds of faults, one after another: `python -m faults.rounds --rounds n --report PAGE`."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from faults import report
from faults.plans import LONG, SHORT, store_lost
from faults.round import Round, play
from support.postgres import NoPostgresError


def main(arguments: Sequence[str] | None = None) -> int:
    """Play a number of rounds, SQLite and Postgres in turns; 1 where anything was violated."""
    parser = argparse.ArgumentParser(prog="faults.rounds", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count on")
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    parser.add_argument("--short", action="store_true", help="rounds as in `make test`")
    parser.add_argument(
        "--store-lost", type=int, metavar="N", help="no kills: N cases, the broker's disk lost"
    )
    parser.add_argument("--report", type=Path, help="page to write")
    parser.add_argument("--log", type=Path, help="results so far, a JSON line a round; continued")
    chosen = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # nothing is left running behind us
    plan = SHORT if chosen.short else LONG
    if chosen.store_lost:
        plan = store_lost(chosen.store_lost)
    seed = chosen.seed if chosen.seed is not None else int(time.time()) % 1_000_000
    results = report.read(chosen.log) if chosen.log else []
    bad = 0
    for number in range(chosen.rounds):
        on_postgres = chosen.only == "postgres" or (chosen.only is None and number % 2 == 1)
        folder = Path(tempfile.mkdtemp(prefix="homeward-faults-"))
        try:
            result = play(seed + number, plan, folder, on_postgres=on_postgres)
        except NoPostgresError as reason:
            print(f"no round on Postgres: {reason}", flush=True)
            shutil.rmtree(folder)
            continue
        except Exception:
            bad += 1
            print(f"seed {seed + number} was not played to its end; see {folder}", flush=True)
            traceback.print_exc()
            continue
        results.append(asdict(result))
        print(_line(result), flush=True)
        if result.violations:
            bad += 1
            first = result.violations[:20]
            print(f"   the home stays in {folder}", *first, sep="\n   ", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        if chosen.log:
            with chosen.log.open("a") as log:
                log.write(json.dumps(asdict(result)) + "\n")
        if chosen.report:
            report.write(chosen.report, results)
    return 1 if bad else 0


def _line(result: Round) -> str:
    others = sum(result.trials.values()) - result.kills
    return (
        f"seed {result.seed} on {result.database}: {result.kills} kills, "
        f"{others} other faults, {result.cases} cases, "
        f"{result.releases} releases, {result.reads} reads, {result.took_s:g} s, "
        f"{len(result.violations)} violations"
    )


if __name__ == "__main__":
    sys.exit(main())
