"""Try the mutants: `python -m tests.policies.mutants [rows|data|rules] [--part K/N]`.

Prints a line for each, then how many were noticed by whom, and the survivors without a reason.
Exit 1 where there is such a survivor.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256

import yaml

from tests.policies.mutants import rows, rules, run
from tests.policies.mutants.judge import SURVIVORS, Judge


def main(which: str = "rows", part: str = "1/1") -> int:
    """Try one kind of mutants, or the k-th of n parts of them."""
    place, of = map(int, part.split("/"))
    judge = Judge()

    def is_in(name: str) -> bool:
        return int(sha256(name.encode()).hexdigest(), 16) % of == place - 1

    def fates() -> Iterator[run.Fate]:
        if which == "rows":
            return run.of_rows(judge, [m for m in rows.of_table(judge.data) if is_in(m.name)])
        if which == "data":
            changed = (rows.of_everywhere, rows.of_recipients, rows.of_numbers)
            return run.of_data(judge, [m for of in changed for m in of(judge.data) if is_in(m[0])])
        return run.of_rules(judge, [m for m in rules.of_rules(judge.rules) if is_in(m.name)])

    explained = yaml.safe_load(SURVIVORS.read_text())
    count: Counter[str] = Counter()
    unexplained = []
    for fate in fates():
        print(f"{fate.by:9} {fate.name}", flush=True)
        count[fate.by] += 1
        if fate.by == run.SURVIVED and fate.name not in explained:
            unexplained.append(fate.name)
    print(dict(count))
    print("\n".join(f"UNEXPLAINED {name}" for name in unexplained))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(*(word for word in sys.argv[1:] if word != "--part")))
