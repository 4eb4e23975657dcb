"""What should have been decided, from nothing but what clients asked for and were told.

A schedule's life is a row of phases. Each begins and ends with an operation, whose effect took
place somewhere between its invocation and its answer; so each instant of a rule either must have
been decided, may have been, or must not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.faults.judge.history import OF_RUNS, History, Operation
from tests.faults.judge.rules import epoch, instants

NEVER = float("inf")
TOLERANCE = 60.0
"""A single time that passed less than this before it was asked for still counts."""

_ENDING = ("pause", "cancel", "delete")
_MARGIN = 10.0


@dataclass(frozen=True)
class Phase:
    """One rule in force: surely from `since` to `until`, at most from `earliest` to `latest`."""

    rule: dict[str, Any]
    overlap: str
    max_runs: int | None
    earliest: float
    since: float
    until: float = NEVER
    latest: float = NEVER

    def must(self, horizon: float) -> list[int]:
        """What has surely been due; of a rule that is still in force, up to `horizon`."""
        end = horizon if self.until == NEVER else self.until
        if self.since >= end:
            return []
        if self.rule["type"] == "one_shot":
            at = epoch(self.rule["at"])
            return [at] if self.since - TOLERANCE / 2 < at < end else []
        return instants(self.rule, self.since, end)

    def may(self, second: int) -> bool:
        early = TOLERANCE if self.rule["type"] == "one_shot" else 0.0
        return (
            self.earliest - early < second <= self.latest
            and instants(self.rule, second - 1, second) != []
        )


@dataclass
class Life:
    """One schedule as its client knows it."""

    key: str
    operations: list[Operation] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    paused: bool = False
    ended_at: float | None = None
    """When its cancellation or deletion was acknowledged."""


def lives(history: History) -> dict[str, Life]:
    """Every schedule that somebody tried to create, by key."""
    by_key: dict[str, list[Operation]] = defaultdict(list)
    for operation in sorted(history.operations, key=lambda each: each.invoked_at):
        by_key[operation.key].append(operation)
    return {key: _life(key, operations) for key, operations in by_key.items()}


def applied(operation: Operation) -> bool:
    """Whether it surely took place."""
    return operation.outcome == "ok" or (operation.outcome == "unknown" and bool(operation.seen))


def possible(operation: Operation) -> bool:
    """Whether it may have taken place."""
    return operation.outcome != "fail"


def horizon(history: History) -> float:
    """Up to when what is due has surely been decided."""
    return history.setting.quiet_at - _MARGIN


def _life(key: str, operations: Iterable[Operation]) -> Life:
    life = Life(key)
    known: dict[str, Any] = {}
    for operation in operations:
        life.operations.append(operation)
        if operation.kind not in OF_RUNS and possible(operation):
            known = _after(life, operation, known)
    return life


def _after(life: Life, operation: Operation, known: dict[str, Any]) -> dict[str, Any]:
    """End the phase in force, and begin the one that the operation brings."""
    lo, hi = _window(operation)
    certain = applied(operation)
    if life.phases:
        life.phases[-1] = _ended(life.phases[-1], lo, hi, certain)
    if operation.kind in _ENDING:
        life.paused = certain
        if certain and operation.kind != "pause":
            life.ended_at = hi
        return known
    known = known | _asked(operation)
    life.paused = life.paused and operation.kind != "resume"
    if not life.paused:
        phase = Phase(known["trigger"], known["overlap"], known.get("maxRuns"), lo, hi)
        # What may never have taken effect obliges to nothing.
        life.phases.append(phase if certain else replace(phase, since=NEVER))
    return known


def _ended(phase: Phase, lo: float, hi: float, certain: bool) -> Phase:
    """`phase` when an operation ended it in that window, or perhaps did not."""
    latest = min(phase.latest, hi) if certain else phase.latest
    return replace(phase, until=min(phase.until, lo), latest=latest)


def _window(operation: Operation) -> tuple[float, float]:
    if operation.outcome == "ok":
        return operation.invoked_at, operation.answered_at or NEVER
    return operation.invoked_at, (operation.seen_at or NEVER) if operation.seen else NEVER


def _asked(operation: Operation) -> dict[str, Any]:
    """What the operation says of the rule; the answer knows the anchor that the server chose."""
    body = operation.body
    asked: dict[str, Any] = {name: body[name] for name in ("overlap", "maxRuns") if name in body}
    if operation.kind == "create":
        asked.setdefault("overlap", "skip")
    if "trigger" in body:
        asked["trigger"] = operation.answer.get("trigger") or body["trigger"]
    return asked
