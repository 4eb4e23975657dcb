"""An event loop whose time is a number: nothing waits, and a seed says who goes first.

Each process of the simulated system has a lane of its own. Within a lane callbacks run in the
order in which they were scheduled, as in any event loop; which lane goes next is drawn. A lane
that is frozen keeps its callbacks, a lane that is dead drops them without any clean-up.

Invariant: the same seed and the same coroutines give the same callbacks at the same times.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import count
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")
_STEP_SECONDS = 1e-6
_MOST_TURNS_AT_ONCE = 50_000
_LONGEST_SECONDS = 1000.0


class Stuck(Exception):
    """Time cannot go on: nothing is scheduled, or something spins without ever waiting."""


class Lane:
    """One process's callbacks; `pid` is what the process calls itself."""

    __slots__ = ("dead", "frozen", "name", "offset", "pid", "ready", "tasks")

    def __init__(self, name: str, pid: int = 1, offset: float = 0.0) -> None:
        self.name = name
        self.pid = pid
        self.offset = offset
        self.ready: deque[asyncio.Handle] = deque()
        self.tasks: list[asyncio.Task[Any]] = []
        self.frozen = False
        self.dead = False


LANE: contextvars.ContextVar[Lane] = contextvars.ContextVar("lane")


class VirtualLoop(asyncio.AbstractEventLoop):
    """Runs lanes in virtual time; `time` jumps to the next timer when no lane can go on."""

    def __init__(self, random: Random) -> None:
        self.errors: list[str] = []
        self.turns = 0
        self._random = random
        self._now = 0.0
        self._lanes: list[Lane] = []
        self._ever: list[Lane] = []
        self._timers: list[tuple[float, int, Lane, asyncio.TimerHandle]] = []
        self._order = count()
        self._running = False

    def time(self) -> float:
        return self._now

    @property
    def lanes(self) -> list[Lane]:
        """Those that live."""
        return list(self._lanes)

    def lane(self, name: str, pid: int = 1, offset: float = 0.0) -> Lane:
        made = Lane(name, pid, offset)
        self._lanes.append(made)
        self._ever.append(made)
        return made

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` in a lane of its own until it is done; everything else stops there."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        self._running = True
        try:
            task = self.spawn(self.lane("world"), main)
            while not task.done():
                self._turn()
            return task.result()
        finally:
            self._let_go()
            self._running = False
            asyncio._set_running_loop(before)

    def spawn(self, lane: Lane, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task in `lane`, and so is whatever it starts."""
        context = contextvars.copy_context()
        context.run(LANE.set, lane)
        return self.create_task(work, context=context)

    def pause(self, seconds: float) -> asyncio.Future[None]:
        """Done after that much virtual time."""
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        self.call_at(self._now + seconds, _wake, future)
        return future

    def kill(self, lane: Lane) -> None:
        """Its callbacks never run again; no `finally` of its tasks runs before the very end."""
        lane.dead = True
        lane.ready.clear()
        if lane in self._lanes:
            self._lanes.remove(lane)

    def unheard(self, lane: Lane) -> list[str]:
        """What its tasks died of without anybody asking for it."""
        return [
            f"a task of {lane.name} died of {task.exception()!r}"
            for task in lane.tasks
            if task.done() and getattr(task, "_log_traceback", False)
        ]

    # What asyncio asks of a loop

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        lane = LANE.get() if context is None else context[LANE]
        if not lane.dead:
            lane.ready.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        lane = LANE.get() if context is None else context[LANE]
        heapq.heappush(self._timers, (when, next(self._order), lane, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        lane = LANE.get() if context is None else context[LANE]
        lane.tasks.append(task)
        return task

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return False

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are passed over when their time comes."""

    # Inside

    def _turn(self) -> None:
        if self._timers and self._timers[0][0] <= self._now:
            self._collect()
        lanes = [lane for lane in self._lanes if lane.ready and not lane.frozen]
        if not lanes:
            self._jump()
            return
        self.turns += 1
        if self.turns > _MOST_TURNS_AT_ONCE:
            raise Stuck(f"{lanes[0].name} spins at {self._now:.6f}")
        lane = lanes[int(self._random.random() * len(lanes))] if len(lanes) > 1 else lanes[0]
        ready = lane.ready
        for _ in range(len(ready)):
            if not ready or lane.frozen:
                break
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()
        self._now += _STEP_SECONDS

    def _collect(self) -> None:
        """Give each lane the timers whose time has come."""
        timers, now = self._timers, self._now
        while timers and timers[0][0] <= now:
            _, _, lane, handle = heapq.heappop(timers)
            if not handle._cancelled and not lane.dead:
                lane.ready.append(handle)

    def _jump(self) -> None:
        timers = self._timers
        while timers and (timers[0][3]._cancelled or timers[0][2].dead):
            heapq.heappop(timers)
        if not timers:
            raise Stuck(f"nothing is left to happen at {self._now:.6f}")
        self._now = max(self._now, timers[0][0])
        self.turns = 0
        if self._now > _LONGEST_SECONDS:
            raise Stuck("it does not come to an end")

    def _let_go(self) -> None:
        """Close whatever is still suspended; its clean-up can reach nothing any more."""
        for lane in self._ever:
            self.kill(lane)
        for lane in self._ever:
            context = contextvars.copy_context()
            context.run(LANE.set, lane)
            # Clean-up may start tasks, which are appended here and then closed as well.
            for task in lane.tasks:
                if not task.done():
                    task._log_destroy_pending = False  # type: ignore[attr-defined]
                    with suppress(BaseException):
                        context.run(task.get_coro().close)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
