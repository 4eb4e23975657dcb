"""From nothing to ready: the import of the package, and a process until it can do its work."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from bench.lines.base import Budget, Figure, Form, Line, Sample, Task, Variant
from bench.lines.ready import ready

PEERS_AT_MOST = 10_000
_LATER_SECONDS = 86_400
_IMPORT = "from time import perf_counter as now; began = now(); {}; print(now() - began)"


def variants(form: Form) -> list[Variant]:
    count, repeat = (100, 1) if form.short else (form.schedules, 5)
    options = {"count": count, "peers_at_most": PEERS_AT_MOST, "repeat": repeat}
    return [Variant(f"with {count:,} schedules", options)]


async def measure(task: Task) -> Sample:
    async def handler(due: float | None) -> None:
        """Nothing is due."""

    async with task.opened(handler) as contender:
        await contender.asleep(task.capped(task.options["count"]), time.time() + _LATER_SECONDS)
        seconds = []
        for _ in range(task.options["repeat"]):
            async with ready(contender) as process:
                seconds.append(process.seconds)
        begin = [_import_seconds(contender.imports) for _ in range(task.options["repeat"])]
        package = [_import_seconds(contender.package) for _ in range(task.options["repeat"])]
    return {"ready": median(seconds), "package": median(package), "begin": median(begin)}


def _import_seconds(statement: str) -> float:
    said = subprocess.run(
        [sys.executable, "-c", _IMPORT.format(statement)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return float(said.stdout)


LINE = Line(
    name="start",
    title="start",
    figures=(
        Figure("ready", "process ready after", budgets=(Budget(1.5),)),
        Figure("package", "import of the package", budgets=(Budget(0.3),)),
        Figure("begin", "import of what one begins with"),
    ),
    variants=variants,
    measure=measure,
)
