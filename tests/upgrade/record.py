"""Record what a version of Homeward leaves behind, for later versions to start from.

    python tests/upgrade/record.py HOME      # a stopped home of the version to be recorded

Run it in a checkout of that version after `homeward demo S1 --keep --home HOME` and
`homeward down --home HOME`. It writes one dump per service beside itself: every table as SQL of
SQLite, the outbox with the events as they were published. All names in it are made up.
"""

import gzip
import sqlite3
import sys
from pathlib import Path

HERE = Path(__file__).parent / "recorded"


def main() -> None:
    for file in sorted((Path(sys.argv[1]) / "db").glob("*.sqlite")):
        connection = sqlite3.connect(file)
        text = "\n".join(connection.iterdump()) + "\n"
        connection.close()
        # without a time in it, so that the same dump is the same file
        with gzip.GzipFile(HERE / f"{file.stem}.sql.gz", "wb", mtime=0) as out:
            out.write(text.encode())


if __name__ == "__main__":
    main()
