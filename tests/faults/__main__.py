"""`python -m tests.faults` does all runs in their long form and prints one table.

It ends with 1 when a promise was broken, or when a run did nothing to the system.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import tempfile
import time
import traceback
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.forms import Form, Run, Verdict

RUNS = (
    "crash_points",
    "kills",
    "freezes",
    "database",
    "network",
    "clocks",
    "rolling",
    "planted",
)


def main() -> int:
    options = _parser().parse_args()
    form = Form("short" if options.short else "long", options.seed)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="tickwright-faults-"))
    verdicts = [(_verdict(name, form, folder)) for name in options.run or RUNS]
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(_table(verdicts))
    for verdict, _ in verdicts:
        for line in verdict.violations:
            console.print(f"{verdict.run}: {line}", style="red", markup=False, soft_wrap=True)
    return 0 if all(verdict.passed for verdict, _ in verdicts) else 1


def _verdict(name: str, form: Form, folder: Path) -> tuple[Verdict, float]:
    """What a run says, and how long it took; one that breaks down has failed."""
    run: Run = importlib.import_module(f"tests.faults.{name}").run
    began = time.monotonic()
    print(f"{name}: {form.size} form, seed {form.seed}", flush=True)
    try:
        verdict = asyncio.run(run(form, folder / name))
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}".partition("\n")[0]
        verdict = Verdict(name, 0, 0, violations=[f"the run broke down: {what}"])
    return verdict, time.monotonic() - began


def _table(verdicts: list[tuple[Verdict, float]]) -> Table:
    table = Table()
    for column in ("run", "faults", "occurrences", "lost", "doubled", "early"):
        table.add_column(column, justify="left" if column == "run" else "right")
    for column in ("worst lateness explained", "took", "verdict"):
        table.add_column(column, justify="right")
    for each, seconds in verdicts:
        table.add_row(
            each.run,
            *(f"{n:,}" for n in (each.injected, each.occurrences)),
            *(str(n) for n in (each.lost, each.doubled, each.early)),
            f"{each.lateness:.1f} s",
            f"{seconds:.0f} s",
            "holds" if each.passed else f"{len(each.violations)} broken",
            style=None if each.passed else "red",
        )
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.faults")
    parser.add_argument("run", nargs="*", choices=[[], *RUNS], help="only these")
    parser.add_argument("--short", action="store_true", help="as every change is tried")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where histories and logs are kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
