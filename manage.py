#!/usr/bin/env python3
"""Start here: `python3 manage.py up --demo`, `python3 manage.py test`, `python3 manage.py help`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def main():
    # Whatever Python the machine has reads this far, so older ones are told.
    if sys.version_info < (3, 11):  # noqa: UP036 - see above
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    from outcomes_site import bootstrap

    bootstrap.enter(ROOT, development=sys.argv[1:2] == ["test"])

    from outcomes_site.local import lifecycle

    lifecycle.run(sys.argv)


if __name__ == "__main__":
    main()
