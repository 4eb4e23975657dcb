"""Every occurrence is covered by exactly one decision, and each decision is the right one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.faults.judge.case import Case, Run, Violation
from tests.faults.judge.model import Life, Phase, horizon
from tests.faults.judge.rules import instants

LATE = 60.0
"""Seconds up to which an occurrence is on time."""

SERIAL = {"skip", "queue"}
"""Overlap policies under which runs of a schedule never execute side by side."""

_SLACK = 1.0


def covered_once(case: Case) -> Iterator[Violation]:
    """Nothing due is left out, nothing is decided twice, nothing is made up."""
    for schedule_id, life in case.lives.items():
        decisions = [run for run in case.runs_of.get(schedule_id, []) if run.automatic]
        yield from _coverage(life, decisions, horizon(case.history))
    known = {*case.lives}
    for run in case.automatic:
        if case.lives and run.first["schedule_id"] not in known:
            yield Violation("invented", f"{run} belongs to a schedule that nobody created")


def justified(case: Case) -> Iterator[Violation]:
    """What was skipped, missed or fired had to be."""
    for schedule_id, life in case.lives.items():
        runs = case.runs_of.get(schedule_id, [])
        for run in runs:
            if run.automatic and any(phase.may(round(run.nominal)) for phase in life.phases):
                yield from _justified(case, life, run, runs)


def one_at_a_time(case: Case) -> Iterator[Violation]:
    """Where runs skip or wait for each other, none is begun while another one is open."""
    for schedule_id, life in case.lives.items():
        overlaps = {phase.overlap for phase in life.phases}
        if not overlaps or not overlaps <= SERIAL:
            continue
        begun = [run for run in case.runs_of.get(schedule_id, []) if run.claims()]
        begun.sort(key=lambda run: run.claims()[0].at)
        for number, run in enumerate(begun):
            at = run.claims()[0].at
            for other in begun[:number]:
                if other.ended_at > at + _SLACK:
                    yield Violation("overlap", f"{life.key}: {run} began beside {other}")


def _coverage(life: Life, decisions: list[Run], until: float) -> Iterator[Violation]:
    by_second: dict[int, list[Run]] = defaultdict(list)
    for run in decisions:
        covered = _covered(life, run)
        if len(covered) != run.count:
            yield Violation("invented", f"{life.key}: {run} counts {run.count} of {len(covered)}")
        for second in covered:
            by_second[second].append(run)
    for second, runs in by_second.items():
        if len(runs) > 1:
            what = f"{life.key} at {second} by {', '.join(map(str, runs))}"
            yield Violation("doubled", what)
    fired = sorted(round(run.nominal) for run in decisions if run.fired)
    for phase in life.phases:
        for second in phase.must(until):
            if second not in by_second and not _exhausted(phase, fired, second):
                yield Violation("lost", f"{life.key} at {second} was never decided")
    yield from _too_many(life, fired)


def _covered(life: Life, run: Run) -> list[int]:
    """The rule's instants that this decision covers; none for one that no rule gave.

    Where it is uncertain which rule was in force, the one that fits counts.
    """
    first = round(run.nominal)
    if run.nominal != first:
        return []
    rules = [phase.rule for phase in reversed(life.phases) if phase.may(first)]
    given = [_given(rule, first, round(run.through)) for rule in rules]
    return next((each for each in given if len(each) == run.count), given[0] if given else [])


def _given(rule: dict[str, Any], first: int, through: int) -> list[int]:
    return [first] if rule["type"] == "one_shot" else instants(rule, first - 1, through)


def _exhausted(phase: Phase, fired: list[int], second: int) -> bool:
    if phase.max_runs is None:
        return False
    return sum(each < second for each in fired) >= phase.max_runs


def _too_many(life: Life, fired: list[int]) -> Iterator[Violation]:
    bounds = [phase.max_runs for phase in life.phases]
    if bounds and None not in bounds:
        most = max(bound for bound in bounds if bound is not None)
        if len(fired) > most:
            yield Violation(
                "invented", f"{life.key} fired {len(fired)} times, at most {most} asked"
            )


def _justified(case: Case, life: Life, run: Run, runs: list[Run]) -> Iterator[Violation]:
    status, reason = run.first["status"], run.first["reason"]
    others = [each for each in runs if each.fired and each.born.seq < run.born.seq]
    phases = [each for each in life.phases if each.may(round(run.nominal))]
    overlaps = {each.overlap for each in phases}
    if status == "skipped":
        if reason == "overlap" and not (overlaps & SERIAL and _busy(others, run)):
            yield Violation("decision", f"{life.key}: {run} was skipped with no run open")
    elif status == "missed":
        if run.born.at - run.nominal < LATE - _SLACK:
            yield Violation("decision", f"{life.key}: {run} was missed although it was on time")
    elif run.fired:
        if overlaps == {"skip"} and _surely_busy(others, run):
            yield Violation("overlap", f"{life.key}: {run} fired beside an open run")
        if all(_stale(case, phase, run) for phase in phases):
            yield Violation("decision", f"{life.key}: {run} fired late though a newer one was due")
    else:
        yield Violation("decision", f"{life.key}: {run} was born as {status}")


def _busy(others: list[Run], run: Run) -> bool:
    """Whether some run may have been open just then."""
    return any(each.ended_at > run.born.at - 2 * _SLACK for each in others)


def _surely_busy(others: list[Run], run: Run) -> bool:
    return any(
        each.born.at < run.born.at - _SLACK and each.ended_at > run.born.at + _SLACK
        for each in others
    )


def _stale(case: Case, phase: Phase, run: Run) -> bool:
    if phase.rule["type"] == "one_shot" or run.born.at - run.nominal <= LATE + 2 * _SLACK:
        return False
    frozen = any(fault.kind == "freeze" for fault in case.history.faults)
    return not frozen and bool(instants(phase.rule, run.nominal, run.born.at - LATE - _SLACK))
