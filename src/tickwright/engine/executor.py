"""Executing one attempt: a pipeline of short steps from a claimed run to its ending.

Invariant: whatever the work does (raise, hang, answer nonsense), the attempt has one outcome, and
only a cancellation of its task leaves the pipeline early.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from tickwright.engine.hooks import Hooks, being_cancelled
from tickwright.engine.outcomes import failure_of, kept
from tickwright.engine.reporter import Reporter, RunReport
from tickwright.engine.retry import decide
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.event import RUN_STARTED, Event
from tickwright.model.run import Claimed, Ending, Items, Outcome
from tickwright.observe.base import Emitter
from tickwright.targets.base import Target

_NOTHING = Items()


class Executor:
    """Delivers runs to their targets, one call an attempt."""

    def __init__(
        self,
        targets: Mapping[str, Target],
        hooks: Hooks,
        emitter: Emitter,
        reporter: Reporter,
        time: Timekeeper,
    ) -> None:
        self.tell_begun: Callable[[Claimed], None] = lambda run: None
        self._targets = targets
        self._hooks = hooks
        self._emitter = emitter
        self._reporter = reporter
        self._time = time

    async def attempt(self, run: Claimed) -> Outcome:
        """What comes of one attempt; a cancellation of its task passes through."""
        run.started_at = self._time.stamp()
        self._tell_started(run)
        if run.policy.sla_start is not None:
            self.tell_begun(run)
        report = run.report = self._reporter.open(run)
        try:
            if self._hooks.on_start:
                await self._hooks.started(run)
            return kept(await self._target(run).deliver(run))
        # Anything that is raised, SystemExit too, ends this attempt and not the process.
        except BaseException as error:
            if being_cancelled(error):
                raise
            return failure_of(error)
        finally:
            report.close()

    async def end(self, run: Claimed, outcome: Outcome) -> Ending:
        """The ending that follows from `outcome`, after the end hooks have seen it."""
        ending = decide(run, outcome, self._time.stamp(), random.random())
        # The two know each other; let go of, neither has to wait for the garbage collector.
        report, run.report = run.report, None
        if isinstance(report, RunReport) and report.told and ending.items == _NOTHING:
            ending.items = report.worked_on
        if self._hooks.on_end:
            await self._hooks.ended(ending)
        return ending

    def _target(self, run: Claimed) -> Target:
        kind = run.target.get("type")
        target = self._targets.get(kind) if isinstance(kind, str) else None
        if target is None:
            raise LookupError(f"this process has no target of type {kind!r}")
        return target

    def _tell_started(self, run: Claimed) -> None:
        if not self._emitter.wanted(RUN_STARTED) or run.started_at is None:
            return
        data = {
            "runId": str(run.id),
            "scheduleId": run.schedule_id and str(run.schedule_id),
            "schedule": run.schedule_key,
            "attempt": run.attempt,
        }
        self._emitter.emit(Event(RUN_STARTED, run.started_at, run.scope, data))
