"""No more runs of a job at once, and no more starts in any stretch of time, than it allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.faults.judge.case import Case, Run, Violation
from tests.faults.judge.history import Row
from tests.faults.judge.model import NEVER

_STALL = 0.5
"""Seconds that may pass between the moment a start is counted at and its commit."""


def held(case: Case) -> Iterator[Violation]:
    for job, bounds in case.setting.limits.items():
        for (_, name), runs in case.runs_of_job.items():
            if name == job:
                yield from _held(case, job, runs, bounds)


def _held(case: Case, job: str, runs: list[Run], bounds: Row) -> Iterator[Violation]:
    if "concurrency" in bounds:
        yield from _at_once(job, runs, bounds["concurrency"])
    by_key: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_key[run.first["limit_key"]].append(run)
    for key, same in by_key.items():
        if "keyConcurrency" in bounds:
            yield from _at_once(f"{job} with key {key!r}", same, bounds["keyConcurrency"])
    if "starts" in bounds:
        yield from _too_often(case, job, runs, bounds["starts"], bounds["per"])


def stretches(run: Run) -> Iterator[tuple[float, float]]:
    """When it surely ran: from when others saw it claimed to when its end was written."""
    since: float | None = None
    for entry in run.entries():
        running = entry.new is not None and entry.new["status"] == "running"
        if running and since is None:
            since = entry.seen_at
        elif not running and since is not None:
            yield since, entry.at
            since = None
    if since is not None:
        yield since, NEVER


def _at_once(what: str, runs: list[Run], most: int) -> Iterator[Violation]:
    steps = [(at, change) for run in runs for s, e in stretches(run) for at, change in _steps(s, e)]
    running = 0
    for at, change in sorted(steps):
        running += change
        if running > most:
            yield Violation("limit", f"{running} runs of {what} at once, at {at:.3f}")
            return


def _steps(since: float, until: float) -> list[tuple[float, int]]:
    return [(since, 1), (until, -1)] if since < until else []


def _too_often(case: Case, job: str, runs: list[Run], most: int, per: float) -> Iterator[Violation]:
    """A process that is frozen while it claims counts from before, and so does not count here."""
    if any(fault.kind in ("freeze", "stand still") for fault in case.history.faults):
        return
    starts = sorted(entry.at for run in runs for entry in run.claims())
    for first, beyond in zip(starts, starts[most:], strict=False):
        if beyond - first < per - _STALL:
            what = f"{most + 1} starts of {job} in {beyond - first:.2f} s, from {first:.3f}"
            yield Violation("limit", what)
            return
