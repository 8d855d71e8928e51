"""Ask the library one question and end: `python -m homeward.engine.once EXPRESSION [BUNDLE]`."""

import json
import sys
from pathlib import Path

from homeward.engine.faults import NoAnswerError
from homeward.engine.loaded import Loaded, OpaError


def main() -> int:
    """Answer in the form of `opa eval --format json`."""
    expression, *folder = sys.argv[1:]
    try:
        value = Loaded(Path(folder[0]) if folder else None).value(expression, json.load(sys.stdin))
    except (OpaError, NoAnswerError) as error:
        print(error, file=sys.stderr)
        return 1
    json.dump({"result": [{"expressions": [{"value": value}]}]}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
