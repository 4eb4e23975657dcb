"""The verdict on a history: every invariant that it breaks, in the manner of Jepsen's checkers.

Each check is a function from a `Case` to the violations of one family of invariants; a check
must never call sound behaviour wrong, so whatever was uncertain counts for the system.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.faults.judge import decisions, lateness, leases, limits, writes
from tests.faults.judge.case import Case, Violation
from tests.faults.judge.history import History

CHECKS: tuple[Callable[[Case], Iterable[Violation]], ...] = (
    decisions.covered_once,
    decisions.justified,
    decisions.one_at_a_time,
    leases.legal_transitions,
    leases.one_lease_at_a_time,
    leases.deliveries,
    leases.picked_up,
    leases.quiet,
    lateness.never_early,
    lateness.explained,
    limits.held,
    writes.acknowledged,
    writes.repeated,
    writes.stopped,
    writes.final_once_ended,
    writes.counters,
    writes.exits,
)


@dataclass(frozen=True)
class Judgement:
    """What the judge found, with the figures of the table."""

    violations: list[Violation]
    occurrences: int
    worst_lateness: float

    def count(self, *invariants: str) -> int:
        found = Counter(violation.invariant for violation in self.violations)
        return sum(found[name] for name in invariants)


def check(history: History) -> list[Violation]:
    """Every violation; an empty list is a clean history."""
    return judge(history).violations


def judge(history: History) -> Judgement:
    """The violations, how many occurrences were decided, and the worst lateness of a start."""
    case = Case(history)
    violations = [violation for check in CHECKS for violation in check(case)]
    return Judgement(
        violations,
        occurrences=sum(decision.count for decision in case.automatic),
        worst_lateness=max((late for _, late in lateness.starts(case)), default=0.0),
    )
