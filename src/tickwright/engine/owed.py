"""What a schedule owed at the moment it was changed, decided in the transaction that changes it.

Invariant: an edit sees a schedule that no planner is behind with, so that it never matters which
of the two came first. What stops a schedule skips what it owes, anything else fires it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tickwright.engine.planner import plan_or_park, undone_event
from tickwright.model.event import Event
from tickwright.model.plan import Decision, Due, Plan
from tickwright.model.run import RunStatus
from tickwright.model.schedule import Schedule
from tickwright.store.answers import Undone
from tickwright.store.base import Settle

_HALTED = {"pause": "paused", "cancel": "cancelled", "delete": "deleted"}


class Owed:
    """Plans for one edit, and remembers what to tell once it is committed."""

    def __init__(self, action: str, now: datetime) -> None:
        self._now = now
        self._halted = _HALTED.get(action)
        self._decisions: dict[datetime, list[Decision]] = {}
        self.settle = Settle(now, self._plan)

    @property
    def fired(self) -> bool:
        return any(decision.status is RunStatus.QUEUED for decision in self._all())

    def events(self, schedule: Schedule) -> Iterator[Event]:
        """One for each stretch of occurrences that came to nothing."""
        for decision in self._all():
            if decision.status is not RunStatus.QUEUED:
                undone = Undone(schedule.scope, schedule.id, schedule.key, decision)
                yield undone_event(undone, self._now)

    def _plan(self, due: Due) -> Plan:
        plan = plan_or_park(due, self._now, self._halted)
        # A transaction that starts over plans the same instants again.
        self._decisions[due.next_run_at] = plan.decisions
        return plan

    def _all(self) -> Iterator[Decision]:
        for decisions in self._decisions.values():
            yield from decisions
