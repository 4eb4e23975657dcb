"""Nothing happens before its time, and whatever happens late has a fault to thank for it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.judge.case import Case, Run, Violation
from tests.faults.judge.limits import stretches

PROMPT = 5.0
"""Seconds from the nominal instant within which work starts while nothing is wrong."""

_ROUNDING = 0.001
_SEEN = 1.0


def never_early(case: Case) -> Iterator[Violation]:
    for run in case.automatic:
        if run.born.at < run.through - _ROUNDING:
            yield Violation("early", f"{run} was decided at {run.born.at:.3f}")
        for delivery in case.deliveries_of.get(run.id, []):
            if delivery.at < run.nominal - _ROUNDING:
                yield Violation("early", f"{run} was delivered at {delivery.at:.3f}")


def explained(case: Case) -> Iterator[Violation]:
    """No start is late unless something was done to the system in the meantime."""
    for run, late in starts(case):
        started_at = run.claims()[0].at
        if late > PROMPT and not case.troubled(started_at - late, started_at):
            yield Violation("late", f"{run} started {late:.1f} s late without a cause")


def starts(case: Case) -> Iterator[tuple[Run, float]]:
    """Each automatic run that was taken by a worker, and how late that was.

    A single time may have passed before somebody asked for it, and is late only from then on.
    """
    for run in case.automatic:
        claims = run.claims()
        if claims:
            since = max(run.nominal, _asked_at(case, run), _line(case, run), _room(case, run))
            yield run, claims[0].at - since


def _line(case: Case, run: Run) -> float:
    """When the last run that it had to wait for had ended."""
    if run.first.get("gate") != "overlap":
        return run.nominal
    began = run.claims()[0].at
    others = case.runs_of[run.first["schedule_id"]]
    ends = [each.ended_at for each in others if each.claims() and each is not run]
    return max((ended for ended in ends if ended <= began + _SEEN), default=run.nominal)


def _room(case: Case, run: Run) -> float:
    """When room came last in the limits of its job before it began."""
    bounds = case.setting.limits.get(run.first.get("job_key", ""))
    if bounds is None:
        return run.nominal
    began = run.claims()[0].at
    same = case.runs_of_job[run.first["scope_key"], run.first["job_key"]]
    others = [each for each in same if each is not run]
    ends = [end for each in others for _, end in stretches(each)]
    again = [each.at + bounds["per"] for o in others for each in o.claims() if "per" in bounds]
    return max((at for at in [*ends, *again] if at <= began + _SEEN), default=run.nominal)


def _asked_at(case: Case, run: Run) -> float:
    """When the rule behind it was asked for, at the earliest."""
    life = case.lives.get(run.first["schedule_id"])
    phases = life.phases if life else []
    second = round(run.nominal)
    return next((p.earliest for p in reversed(phases) if p.may(second)), run.nominal)
