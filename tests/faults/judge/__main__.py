"""`python -m tests.faults.judge FOLDER` judges a history that was saved there."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.faults.judge.checker import judge
from tests.faults.judge.history import load


def main() -> int:
    found = judge(load(Path(sys.argv[1])))
    for violation in found.violations:
        print(f"{violation.invariant}: {violation.what}")
    print(
        f"{found.occurrences} occurrences, worst lateness {found.worst_lateness:.2f} s, "
        f"{len(found.violations)} violations"
    )
    return 1 if found.violations else 0


if __name__ == "__main__":
    sys.exit(main())
