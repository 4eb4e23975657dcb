"""Executing one attempt: a pipeline of short steps from a claimed run to its ending.

Invariant: whatever the work does (raise, hang, answer nonsense), the attempt gets exactly one
ending, and only a cancellation from outside leaves the pipeline early.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from tickwright.engine.hooks import Hooks
from tickwright.engine.retry import decide
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.event import RUN_STARTED, Event
from tickwright.model.run import MAX_ERROR_BYTES, Claimed, Ending, Failed, Outcome
from tickwright.model.storable import storable_text
from tickwright.observe.base import Emitter
from tickwright.targets.base import Target


class Executor:
    """Delivers runs to their targets, one call an attempt."""

    def __init__(
        self, targets: Mapping[str, Target], hooks: Hooks, emitter: Emitter, time: Timekeeper
    ) -> None:
        self._targets = targets
        self._hooks = hooks
        self._emitter = emitter
        self._time = time

    async def execute(self, run: Claimed) -> Ending:
        """Run one attempt to its end; CancelledError passes through."""
        run.started_at = self._time.stamp()
        self._tell_started(run)
        return await self.end(run, await self._outcome(run))

    async def end(self, run: Claimed, outcome: Outcome) -> Ending:
        """The ending that follows from `outcome`, after the end hooks have seen it."""
        ending = decide(run, outcome, self._time.stamp(), random.random())
        if self._hooks.on_end:
            await self._hooks.ended(ending)
        return ending

    async def _outcome(self, run: Claimed) -> Outcome:
        try:
            if self._hooks.on_start:
                await self._hooks.started(run)
            return await self._target(run).deliver(run)
        except Exception as error:
            return failure_of(error)

    def _target(self, run: Claimed) -> Target:
        kind = run.target.get("type")
        target = self._targets.get(kind) if isinstance(kind, str) else None
        if target is None:
            raise LookupError(f"this process has no target of type {kind!r}")
        return target

    def _tell_started(self, run: Claimed) -> None:
        if not self._emitter.wanted(RUN_STARTED) or run.started_at is None:
            return
        data = {"runId": str(run.id), "schedule": run.schedule_key, "attempt": run.attempt}
        self._emitter.emit(Event(RUN_STARTED, run.started_at, run.scope, data))


def failure_of(error: Exception) -> Failed:
    """A failure that another try may mend, told by the exception's type and message."""
    return Failed(storable_text(f"{type(error).__name__}: {error}", MAX_ERROR_BYTES))
