"""What the host application wants called around each run, so that its own rows can follow."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tickwright.model.run import Claimed, Ending, RunStatus

_log = logging.getLogger("tickwright.hooks")


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How an attempt ended, as told to `on_run_end`; `will_retry` when another try follows."""

    run: Claimed
    status: RunStatus
    will_retry: bool
    error: str | None
    result: Any


StartHook = Callable[[Claimed], Awaitable[None] | None]
EndHook = Callable[[RunEnd], Awaitable[None] | None]


class Hooks:
    """Start hooks run before the work and can stop it; end hooks run before the end is saved.

    A process that dies in between runs the attempt, and so the hooks, again: they see each run
    at least once.
    """

    def __init__(self) -> None:
        self.on_start: list[StartHook] = []
        self.on_end: list[EndHook] = []

    async def started(self, run: Claimed) -> None:
        for hook in self.on_start:
            answer = hook(run)
            if inspect.isawaitable(answer):
                await answer

    async def ended(self, ending: Ending) -> None:
        end = RunEnd(ending.run, ending.status, not ending.final, ending.error, ending.result)
        for hook in self.on_end:
            try:
                async with asyncio.timeout(ending.run.policy.timeout.total_seconds()):
                    answer = hook(end)
                    if inspect.isawaitable(answer):
                        await answer
            except BaseException as error:
                if being_cancelled(error):
                    raise
                _log.exception("an on_run_end hook failed for run %s", ending.run.id)


def being_cancelled(error: BaseException) -> bool:
    """Whether somebody cancelled this task; the error alone may come from anything awaited."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and bool(task and task.cancelling())
