"""Claiming runs and keeping their tasks: what this worker holds, and how much more it can take.

Invariant: every run that was claimed is executed, handed back, or given up because its lease was
lost; it is never forgotten.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from uuid import UUID

from tickwright.dispatch.base import Dispatcher
from tickwright.engine.executor import Executor
from tickwright.engine.finisher import Finisher
from tickwright.engine.reporter import RunReport
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.errors import StoreUnavailable
from tickwright.model.job import Ambiguity, Policy
from tickwright.model.run import Cancelled, Claimed, Failed, Lost, Outcome
from tickwright.store.base import Offer, Queue

MOST_AHEAD = 1000
_WORTH_ASKING = 1000
_AT_ONCE = 100
"""How many runs take their first step before the loop looks for answers of the database."""
_QUICK_SECONDS = 0.05
_STALE_SECONDS = 0.1
_STOP_SECONDS = 1.0
_RECALL_SECONDS = 3.0
_STUCK = timedelta(seconds=1)
MARK_AFTER = timedelta(milliseconds=50)
_IDLE = timedelta(seconds=30)
_TICK_SECONDS = 0.001
_CANCELLED_ITSELF = Failed("the handler cancelled itself")


@dataclass(slots=True)
class _Held:
    """A run that executes; `outcome` once it is known, or that of an attempt cut short."""

    run: Claimed
    outcome: Outcome | None = None
    begun: bool = False
    released: bool = False
    task: asyncio.Task[None] | None = None
    ends_at: float = 0.0
    deadline: asyncio.TimerHandle | None = None
    slow: asyncio.TimerHandle | None = None

    def cut_short(self, outcome: Outcome) -> None:
        if self.outcome is None:
            self.outcome = outcome
            self._cancel()

    def release(self) -> None:
        """Stop without an ending: somebody else takes the run over."""
        self.released = True
        self._cancel()

    def _cancel(self) -> None:
        # A task that is cancelled before its first step never gets to its own clean-up, so one
        # that has not begun looks for itself.
        if self.begun and self.task is not None:
            self.task.cancel()


class Runner:
    """Holds the runs of one worker.

    `slots` bound how many execute at once. While work drains quickly the runner claims further
    ahead than its slots, so that short runs are not held up by round trips; as soon as claimed
    runs have to wait it claims less, and those that wait in vain go back.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        queue: Queue,
        executor: Executor,
        finisher: Finisher,
        time: Timekeeper,
        offer: Offer,
    ) -> None:
        self.wake: Callable[[], None] = lambda: None
        self.wake_marks: Callable[[], None] = lambda: None
        self.tell_slow: Callable[[Claimed], None] = lambda run: None
        self._dispatcher = dispatcher
        self._queue = queue
        self._executor = executor
        self._finisher = finisher
        self._time = time
        self._offer = offer
        self._waiting: deque[Claimed] = deque()
        self._running: dict[UUID, _Held] = {}
        self._unmarked: list[Claimed] = []
        self._ahead = 0
        self._more = False
        self._claimed_at = 0.0
        self._moved_at = 0.0
        self._claims = self._offered = 0
        self._settled = asyncio.Event()
        self._settled.set()
        self._doubt = False
        self._serving = False
        self._closed = False
        self._starting = False

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def _free(self) -> bool:
        return len(self._running) < self._offer.slots

    @property
    def _room(self) -> int:
        held = len(self._running) + len(self._waiting) + self._offered
        return self._offer.slots + self._ahead - held

    def serve(self, worker_id: UUID, handlers: Collection[str]) -> None:
        """From now on claim as this worker, for these handlers."""
        old = self._offer
        self._offer = Offer(worker_id, old.queues, tuple(handlers), old.slots)
        self._serving = True

    def offer(self, most: int | None = None, *, herd: bool = False) -> Offer | None:
        """What this worker can take right now, beside what is being claimed; None when nothing.

        In a herd that is more than its slots, as long as nothing has to wait for one.
        """
        if herd and self._flows:
            self._ahead = max(self._ahead, MOST_AHEAD)
        room = self._room if most is None else min(self._room, most)
        if self._closed or self._doubt or not self._serving or room <= 0:
            return None
        return Offer(self._offer.worker_id, self._offer.queues, self._offer.handlers, room)

    async def tick(self) -> timedelta:
        """Claim what fits; when everything that fitted came, there may be more."""
        self._let_go_of_stuck()
        if self._doubt and not self._claims:
            await self.recall()
            self._doubt = False
        self._adapt()
        offer = self.offer()
        if offer is None or not self._worth(offer):
            # Nothing fits now, so whoever woke this is answered when a slot comes free.
            self._more = True
        else:
            with self.claiming(offer):
                claimed = await self._dispatcher.take(offer, await self._time.now())
                self._more = len(claimed) >= offer.slots
                self.accept(claimed)
        return _STUCK if self._waiting else _IDLE

    @contextmanager
    def claiming(self, offer: Offer | None) -> Iterator[None]:
        """Around whatever claims by `offer`: when it fails, nobody knows what was claimed."""
        if offer is None:
            yield
            return
        self._claims += 1
        self._offered += offer.slots
        self._settled.clear()
        try:
            yield
        except BaseException:
            # The commit may have been made and only its answer lost.
            self._doubt = True
            raise
        finally:
            self._claims -= 1
            self._offered -= offer.slots
            if not self._claims:
                self._settled.set()
            if self._more or (self._doubt and not self._claims):
                self.wake()

    async def recall(self) -> None:
        """Hand back what the database holds in this worker's name and nobody here knows of.

        No claim may be under way: it would be taken for a forgotten one.
        """
        held = await self._queue.held(self._offer.worker_id)
        here = [*(each.run for each in self._running.values()), *self._waiting]
        known = {(run.id, run.lease_token) for run in [*here, *self._finisher.unwritten]}
        forgotten = [run for run in held if (run.id, run.lease_token) not in known]
        await self._queue.release(forgotten, self._time.stamp())

    def accept(self, runs: Sequence[Claimed]) -> None:
        """Take over runs claimed for this worker; for a former one they came too late."""
        if not runs or not self._serving or runs[0].worker_id != self._offer.worker_id:
            return
        self._claimed_at = monotonic()
        if not self._waiting:
            self._moved_at = self._claimed_at
        for run in runs:
            if run.policy.sla_start is not None:
                run.claimed_at = self._time.stamp()
        self._waiting.extend(runs)
        self._start()
        if self._waiting and not self._starting:
            self.wake()

    async def mark_started(self, after: timedelta = MARK_AFTER) -> timedelta:
        """Record the start of runs that have not ended within the blink of an eye."""
        long_ago = self._time.stamp() - after
        held = [run for run in self._unmarked if run.id in self._running]
        ripe = [run for run in held if run.started_at and run.started_at <= long_ago]
        marked = {run.id for run in ripe}
        self._unmarked = [run for run in held if run.id not in marked]
        await self._queue.started(ripe)
        return MARK_AFTER if self._unmarked else _IDLE

    def cancel(self, ids: Collection[UUID]) -> None:
        """Stop these runs because somebody asked for it."""
        for run_id in ids:
            if run_id in self._running:
                self._running[run_id].cut_short(Cancelled())

    def give_up(self) -> list[asyncio.Task[None]]:
        """Stop everything until `serve`: the lease is lost, so nothing here may be finished."""
        self._serving = False
        self._waiting.clear()
        return self._interrupt()

    def open(self) -> None:
        """Take runs from now on; a new one does so anyway."""
        self._closed = False

    def close(self) -> None:
        """Take nothing new from now on."""
        self._closed = True

    async def drain(self, grace: timedelta) -> None:
        """Hand back what has not started, let the rest finish, hand back what does not."""
        self.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), _STOP_SECONDS)
        self._waiting.clear()
        # What cannot be handed back goes to others when the lease ends; running work still ends.
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(_RECALL_SECONDS):
                await self.recall()
        if self._running:
            await asyncio.wait(self._tasks(), timeout=grace.total_seconds())
        unfinished = list(self._running.values())
        stopping = self._interrupt()
        if stopping:
            await asyncio.wait(stopping, timeout=_STOP_SECONDS)
        left = [each for each in unfinished if each.outcome is None or self._holds(each)]
        await self._hand_on([held.run for held in left])

    async def _hand_on(self, unfinished: list[Claimed]) -> None:
        """Others begin these anew, save what must not happen twice: that counts as lost."""
        for run in unfinished:
            if run.policy.on_ambiguous is Ambiguity.FAIL:
                self._finisher.add(await self._executor.end(run, Lost(started=True)))
        await self._finisher.flush()
        again = [run for run in unfinished if run.policy.on_ambiguous is Ambiguity.RETRY]
        await self._finisher.before(again)
        await self._queue.release(again, self._time.stamp())

    async def idle(self) -> None:
        """Wait until nothing is executing."""
        while self._running:
            await asyncio.wait(self._tasks())

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [held.task for held in self._running.values() if held.task is not None]

    def _interrupt(self) -> list[asyncio.Task[None]]:
        """Cancel everything that executes, without an ending: the runs go to others."""
        for held in self._running.values():
            held.release()
        return self._tasks()

    def _let_go_of_stuck(self) -> None:
        """Work behind slots that stay busy is for whoever has a free one."""
        if self._waiting and monotonic() - self._moved_at > _STUCK.total_seconds():
            self._waiting.clear()
            self._ahead, self._doubt = 0, True

    @property
    def _flows(self) -> bool:
        return self._free and (self._starting or not self._waiting)

    def _adapt(self) -> None:
        since = monotonic() - self._claimed_at
        if self._waiting and since > _STALE_SECONDS:
            self._ahead //= 2
        elif self._flows and self._more and since < _QUICK_SECONDS:
            self._ahead = min(MOST_AHEAD, max(self._offer.slots, self._ahead * 2))

    def _worth(self, offer: Offer) -> bool:
        """Whether to ask for so much while there still is work in hand."""
        most = self._offer.slots + self._ahead
        return not self._waiting or offer.slots >= min(_WORTH_ASKING, most // 2)

    def _start(self) -> None:
        """Begin some of what waits; answers of the database get their turn before the rest."""
        if self._starting:
            return
        loop = asyncio.get_running_loop()
        begun: list[_Held] = []
        while self._waiting and self._free and not self._closed and len(begun) < _AT_ONCE:
            begun.append(self._begin(self._waiting.popleft(), loop))
        if begun:
            self._moved_at = monotonic()
            self._starting = True
            loop.call_soon(self._begun, begun, loop)

    def _begun(self, begun: list[_Held], loop: asyncio.AbstractEventLoop) -> None:
        """Each has had its first step: the others need a deadline only if that did not end it."""
        for held in begun:
            if self._holds(held):
                self._watch_over(held, loop)
        self._starting = False
        self._start()

    def _watch_over(self, held: _Held, loop: asyncio.AbstractEventLoop) -> None:
        policy = held.run.policy
        held.ends_at = loop.time() + policy.timeout.total_seconds()
        held.deadline = loop.call_later(_patience(policy), _watch, held)
        if policy.sla_duration is not None:
            allowed = policy.sla_duration.total_seconds()
            held.slow = loop.call_later(allowed, self.tell_slow, held.run)

    def _begin(self, run: Claimed, loop: asyncio.AbstractEventLoop) -> _Held:
        if not self._unmarked:
            self.wake_marks()
        self._unmarked.append(run)
        held = _Held(run)
        self._running[run.id] = held
        held.task = loop.create_task(self._run(held))
        return held

    async def _run(self, held: _Held) -> None:
        held.begun = True
        try:
            if held.outcome is None and not held.released:
                held.outcome = await self._attempt(held)
            if held.outcome is not None:
                self._finisher.add(await self._executor.end(held.run, held.outcome))
        finally:
            if held.deadline is not None:
                held.deadline.cancel()
            if held.slow is not None:
                held.slow.cancel()
            if self._holds(held):
                del self._running[held.run.id]
            self._next()

    async def _may_begin(self, run: Claimed) -> bool:
        """Where nothing may happen twice, that it begins is written down before it does."""
        if run.policy.on_ambiguous is Ambiguity.RETRY:
            return True
        run.started_at = self._time.stamp()
        try:
            return await self._queue.started([run]) == 1
        except StoreUnavailable:
            # Whether it was written is not known; what was not begun here is handed back.
            run.started_at, self._doubt = None, True
            self.wake()
            return False

    async def _attempt(self, held: _Held) -> Outcome | None:
        """What came of the work, whoever ended it; none when the run was handed on."""
        try:
            if not await self._may_begin(held.run):
                return None
            return await self._executor.attempt(held.run)
        except asyncio.CancelledError:
            return held.outcome or (None if held.released else _CANCELLED_ITSELF)
        finally:
            while held.task is not None and held.task.uncancel():
                pass

    def _holds(self, held: _Held) -> bool:
        """Whether its ending is still to come."""
        return self._running.get(held.run.id) is held

    def _next(self) -> None:
        if self._waiting:
            self._start()
        if self._more and not self._closed:
            self.wake()


def _patience(policy: Policy) -> float:
    """Seconds after which to look at an attempt for the first time."""
    watched = policy.heartbeat_timeout
    return (policy.timeout if watched is None else min(watched, policy.timeout)).total_seconds()


def _watch(held: _Held) -> None:
    """End the attempt when its time is over or it has been silent for too long, else look later."""
    loop = asyncio.get_running_loop()
    policy, left = held.run.policy, held.ends_at - loop.time()
    patience = policy.heartbeat_timeout
    if left <= _TICK_SECONDS:
        seconds = policy.timeout.total_seconds()
        held.cut_short(Failed(f"timed out after {seconds:g} s", ambiguous=True))
        return
    if patience is not None:
        silent = _silence(held.run)
        if silent >= patience.total_seconds() - _TICK_SECONDS:
            error = f"timed out: it has told nothing for {silent:.3g} s"
            held.cut_short(Failed(error, ambiguous=True, kind="stuck"))
            return
        left = min(left, patience.total_seconds() - silent)
    held.deadline = loop.call_later(left, _watch, held)


def _silence(run: Claimed) -> float:
    """For how many seconds its work has told nothing; none for work that cannot tell."""
    return (isinstance(run.report, RunReport) and run.report.silent_for) or 0.0
