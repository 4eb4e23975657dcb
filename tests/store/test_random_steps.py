"""Both dialects, driven with the same random steps, must tell the same at every step."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from tickwright.model.errors import Conflict, NotFound
from tickwright.model.plan import Decision, Due, Plan
from tickwright.model.run import Cause, Claimed, Ending, Run, RunStatus
from tickwright.model.schedule import Cursor, Overlap, Schedule, ScheduleStatus
from tickwright.model.scope import Scope, organization, tenant
from tickwright.store import open_store
from tickwright.store.base import NewRun, Offer, RunQuery, ScheduleQuery, Store

from .support import (
    DAY,
    MINUTE,
    NOW,
    SECOND,
    cancelled,
    create,
    dead,
    edit,
    failed,
    lost,
    put_job,
    retried,
    schedule,
    succeeded,
    worker,
)

SEQUENCES = 40
STEPS = 30
GROUPS = 4
PERIOD = MINUTE
MICROSECOND = timedelta(microseconds=1)
NOBODY = UUID(int=0)

Label = tuple[str, str, str]
"""A run by what both stores call it the same: scope, schedule, and instant or request."""
Lease = tuple[Label, int]


def plan(d: Due) -> Plan:
    """Fires the newest of what is due, tells the rest missed; an open run makes it a skip."""
    if "one_shot" in d.trigger:
        return Plan(d.schedule_id, [_decide(d, d.next_run_at)], None, d.next_run_at, 1, spent=True)
    behind = 3 if d.fired_count % 2 else 0
    newest = d.next_run_at + behind * PERIOD
    decisions = [_decide(d, newest)]
    if behind:
        until = newest - PERIOD
        missed = Decision(d.next_run_at, RunStatus.MISSED, "coalesced", until, behind)
        decisions.insert(0, missed)
    return Plan(d.schedule_id, decisions, newest + PERIOD, newest, d.fired_count + 1)


def _decide(d: Due, at: datetime) -> Decision:
    if d.open.active and d.overlap is Overlap.SKIP:
        return Decision(at, RunStatus.SKIPPED, "overlap")
    return Decision(at, RunStatus.QUEUED)


def label(run: Run | Claimed) -> Label:
    request = run.triggered_by or run.nominal_at.isoformat()
    return run.scope.key, run.schedule_key or "", request


def labels(runs: Iterable[Run | Claimed]) -> list[Label]:
    return sorted(map(label, runs))


@dataclass
class Side:
    """One store and the leases handed out by it, those that are over included."""

    store: Store
    leases: dict[Lease, Claimed] = field(default_factory=dict)
    held: set[Lease] = field(default_factory=set)

    def keep(self, claimed: Iterable[Claimed]) -> list[tuple[Label, int, int, bool]]:
        told = []
        for run in claimed:
            self.leases[label(run), run.lease_token] = run
            self.held.add((label(run), run.lease_token))
            told.append((label(run), run.attempt, run.lease_token, run.worker_id is None))
        return told


Step = Callable[[Side], Awaitable[object]]


class Story:
    """One sequence of steps; what it chooses depends on the seed and on nothing a store says."""

    def __init__(self, seed: int, sides: list[Side], now: datetime) -> None:
        self.seed = seed
        self.now = now
        self._chance = random.Random(seed)
        self._sides = sides
        self._scopes: list[Scope] = [tenant(f"s{seed}"), organization(f"s{seed}", "o")]
        self._keys: list[tuple[Scope, str]] = []
        self._offers: list[Offer] = []
        self._serial = 0
        self._told: list[str] = []

    async def run(self) -> None:
        for _ in range(2):
            await self._register()
        await self._job()
        for _ in range(4):
            await self._create()
        await self._fire()
        steps: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (2, self._create), (6, self._fire), (4, self._add), (8, self._claim),
            (4, self._start), (9, self._finish), (1, self._release), (2, self._cancel),
            (5, self._advance), (2, self._lift), (3, self._beat), (1, self._expire),
            (1, self._rescue), (1, self._outage), (2, self._edit), (1, self._prune),
            (1, self._register), (1, self._job),
        ]  # fmt: skip
        weights = [weight for weight, _ in steps]
        for number in range(STEPS):
            [(_, step)] = self._chance.choices(steps, weights)
            await step()
            if number % 8 == 7:
                await self._compare("observed", self._observe)
        await self._end()

    async def _end(self) -> None:
        """Nothing stays open, so that the next sequence begins with a quiet database."""
        for scope, key in self._keys:
            await self._both(f"delete {key}", partial(_delete, scope=scope, key=key))
        await self._both("cancel all", self._cancel_all)
        self.now += DAY
        await self._expire()
        await self._rescue(dead)
        observed = await self._compare("observed at the end", self._observe)
        assert not [row for row in observed["runs"] if row[2] in ("queued", "running")]

    async def _create(self) -> None:
        scope, key = self._chance.choice(self._scopes), f"k{self._next()}"
        one_shot = self._chance.random() < 0.3
        new = schedule(
            key,
            scope,
            trigger={"type": "one_shot" if one_shot else "interval"},
            job_key=self._chance.choice(["plain", "urgent"]),
            overlap=self._chance.choice([Overlap.SKIP, Overlap.ALLOW]),
            target={"type": "handler", "name": self._chance.choice(["work", "work", "else"])},
            cursor=Cursor(self._moment(self._chance.randrange(-90, 60))),
        )
        self._keys.append((scope, key))
        await self._both(f"create {key}", lambda side: _created(side, new))

    async def _job(self) -> None:
        scope, priority = self._chance.choice(self._scopes), self._chance.randrange(1, 10)
        await self._both(
            f"job {scope} {priority}",
            lambda side: _job(side, scope, priority),
        )

    async def _fire(self) -> None:
        offer = self._chance.choice([None, *self._offers[-2:]])
        wide = offer and replace(offer, slots=self._chance.choice([0, 100]))

        async def fire(side: Side) -> object:
            fired = await side.store.firing.fire(self.now, 100, plan, wide)
            undone = sorted((u.scope.key, u.schedule_key, u.decision.reason) for u in fired.undone)
            return fired.schedules, fired.queued, sorted(side.keep(fired.claimed)), undone

        await self._both(f"fire {wide and wide.slots}", fire)

    async def _add(self) -> None:
        scope, key = self._chance.choice(self._keys)
        at, request = self._moment(0), f"r{self._next()}"

        async def add(side: Side) -> object:
            new = NewRun(Cause.MANUAL, request, f"{self.seed} {request}", {"by": request})
            try:
                return label(await side.store.runs.add(scope, key, new, now=at))
            except (Conflict, NotFound) as refusal:
                return type(refusal)

        await self._both(f"add {key}", add)

    async def _claim(self) -> None:
        await self._lift()
        offer = replace(self._chance.choice(self._offers[-2:]), slots=self._chance.randrange(1, 5))

        async def claim(side: Side) -> object:
            return side.keep(await side.store.queue.claim(offer, self.now))

        await self._both(f"claim {offer.slots}", claim)

    async def _start(self) -> None:
        chosen = self._some_leases()

        async def start(side: Side) -> None:
            runs = [side.leases[each] for each in chosen]
            for run in runs:
                run.started_at = run.started_at or self.now
            await side.store.queue.started(runs)

        await self._both(f"start {len(chosen)}", start)

    async def _finish(self) -> None:
        ends: list[Callable[..., Ending]] = [
            succeeded, succeeded, failed, dead, cancelled, soon, soon, soon,
        ]  # fmt: skip
        chosen = [(lease, self._chance.choice(ends)) for lease in self._some_leases()]
        moments = [self._moment(0) for _ in chosen]

        async def finish(side: Side) -> object:
            endings = [
                end(side.leases[lease], at)
                for (lease, end), at in zip(chosen, moments, strict=True)
            ]
            accepted = await side.store.queue.finish(endings)
            side.held -= {lease for lease, _ in chosen}
            return sorted(label(e.run) for e in endings if e.run.id in accepted)

        await self._both(f"finish {len(chosen)}", finish)

    async def _release(self) -> None:
        chosen = self._some_leases()

        async def release(side: Side) -> None:
            side.held -= set(chosen)
            await side.store.queue.release([side.leases[lease] for lease in chosen], self.now)

        await self._both(f"release {len(chosen)}", release)

    async def _cancel(self) -> None:
        scope = self._chance.choice(self._scopes)
        pick = self._chance.random()

        async def cancel(side: Side) -> object:
            runs = (await side.store.runs.find(scope, RunQuery(limit=1000))).items
            if not runs:
                return None
            chosen = sorted(runs, key=label)[int(pick * len(runs))]
            after = await side.store.runs.cancel(scope, chosen.id, now=self.now)
            return after and (label(after), after.status, after.cancel_requested_at)

        await self._both("cancel", cancel)

    async def _cancel_all(self, side: Side) -> None:
        """Runs that were under way when their schedule was deleted may have got another try."""
        for scope in self._scopes:
            for run in (await side.store.runs.find(scope, RunQuery(limit=1000))).items:
                if run.status is RunStatus.QUEUED:
                    await side.store.runs.cancel(scope, run.id, now=self.now)

    async def _advance(self) -> None:
        self.now += self._chance.choice([1, 1, 5, 20, 60]) * SECOND
        self._told.append(f"now {self.now:%H:%M:%S}")

    async def _lift(self) -> None:
        await self._both("lift", lambda side: side.store.queue.lift(self.now))

    async def _register(self) -> None:
        handlers = self._chance.choice([("work",), ("work", "else")])
        new = worker(lease_until=self.now + 2 * MINUTE, handlers=handlers)
        self._offers.append(Offer(new.id, new.queues, new.handlers, new.slots))
        await self._both("register", lambda side: side.store.workers.register(new))

    async def _beat(self) -> None:
        offer = self._chance.choice(self._offers[-3:])
        beating = worker(id=offer.worker_id, handlers=offer.handlers)

        async def beat(side: Side) -> object:
            asked = await side.store.workers.beat(beating, self.now, 2 * MINUTE)
            known = {run.id: label(run) for run in side.leases.values()}
            return asked if asked is None else sorted(known[each] for each in asked)

        await self._both("beat", beat)

    async def _expire(self) -> None:
        async def expire(side: Side) -> object:
            return {each.id for each in await side.store.workers.expire(self.now)}

        await self._both("expire", expire)

    async def _rescue(self, end: Callable[[Claimed, datetime], Ending] = lost) -> None:
        async def rescue(side: Side) -> object:
            ended = await side.store.queue.rescue(self.now, 100, lambda r: end(r, self.now))
            side.held -= {(label(e.run), e.run.lease_token) for e in ended}
            return sorted((label(e.run), e.status, e.attempt) for e in ended)

        await self._both("rescue", rescue)

    async def _outage(self) -> None:
        """Every worker falls silent, and somebody takes back what they held."""
        self.now += 3 * MINUTE
        if self._chance.random() < 0.5:
            await self._expire()
        await self._rescue()
        for _ in range(2):
            await self._register()

    async def _edit(self) -> None:
        scope, key = self._chance.choice(self._keys)
        action = self._chance.choice(["pause", "resume", "resume", "delete"])
        at = self._moment(10)
        await self._both(f"{action} {key}", lambda side: _edit(side, scope, key, action, at))

    async def _prune(self) -> None:
        keep, most = 2 * MINUTE, self._chance.randint(0, 5)

        async def prune(side: Side) -> tuple[int, int]:
            old = await side.store.upkeep.prune_old(self.now, keep, 1000)
            return old.runs, (await side.store.upkeep.prune_excess(most, 1000)).runs

        await self._both("prune", prune)

    async def _both(self, told: str, step: Step) -> None:
        self._told.append(told)
        await self._compare(told, step)

    async def _compare(self, told: str, step: Callable[[Side], Awaitable[Any]]) -> Any:
        one, two = [await step(side) for side in self._sides]
        if isinstance(one, dict):
            for name in one:
                assert one[name] == two[name], self._where(f"{told}: {name}")
        assert one == two, self._where(told)
        return one

    def _where(self, told: str) -> str:
        return f"seed {self.seed}: {told}\n" + "\n".join(self._told)

    async def _observe(self, side: Side) -> dict[str, Any]:
        runs, schedules = [], []
        for scope in self._scopes:
            for run in (await side.store.runs.find(scope, RunQuery(limit=1000))).items:
                superseded = run.attempt > 1 and await side.store.runs.attempts(scope, run.id)
                tries = [replace(attempt, run_id=NOBODY) for attempt in superseded or ()]
                runs.append((label(run), run.cause, run.status.value, _facts(run), tries))
            query = ScheduleQuery(limit=1000, order="createdAt")
            schedules += (await side.store.schedules.find(scope, query)).items
        armed = [await side.store.schedules.armed(scope) for scope in self._scopes]
        return {
            "runs": sorted(runs, key=lambda row: (row[0], row[1])),
            "schedules": schedules,
            "armed": armed,
            "days": [
                await side.store.schedules.days(each.scope, each.id, date.min)
                for each in schedules
                if each.stats.run_count
            ],
            "next due": await side.store.firing.next_due(),
            "workers": {w.id: w for w in await side.store.workers.all()},
        }

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _moment(self, seconds: int) -> datetime:
        """Never the same twice: what happens at one moment has no order to compare."""
        return self.now + seconds * SECOND + self._next() * MICROSECOND

    def _some_leases(self) -> list[Lease]:
        """Mostly leases under way, sometimes ones that are long over."""
        stale = self._chance.random() < 0.2
        side = self._sides[0]
        known = sorted(side.leases if stale or not side.held else side.held)
        return self._chance.sample(known, min(len(known), self._chance.randrange(1, 5)))


def _facts(run: Run) -> tuple[Any, ...]:
    return (
        run.reason, run.gate, run.nominal_at, run.through_at, run.count, run.run_at, run.queue,
        run.priority, run.target, run.payload, run.attempt, run.lost_count, run.worker_id,
        run.started_at, run.finished_at, run.error, run.items, run.request_key,
        run.cancel_requested_at,
    )  # fmt: skip


def soon(run: Claimed, at: datetime) -> Ending:
    return retried(run, at, 2 * SECOND)


async def _created(side: Side, new: Schedule) -> None:
    await create(side.store, new)


async def _job(side: Side, scope: Scope, priority: int) -> int:
    return (await put_job(side.store, "urgent", scope, priority=priority)).version


async def _edit(side: Side, scope: Scope, key: str, action: str, at: datetime) -> object:
    found = await side.store.schedules.get(scope, key)
    if found is None:
        return None
    if action == "delete":
        return await _delete(side, scope, key)
    if found.status not in (ScheduleStatus.ACTIVE, ScheduleStatus.PAUSED):
        return found.status
    active = action == "resume"
    cursor = replace(found.cursor, next_run_at=at if active else None, spent=False)
    status = ScheduleStatus.ACTIVE if active else ScheduleStatus.PAUSED
    return await edit(side.store, scope, key, action, status=status, cursor=cursor)


async def _delete(side: Side, scope: Scope, key: str) -> object:
    if await side.store.schedules.get(scope, key) is None:
        return None
    return await edit(side.store, scope, key, "delete", deleted_at=NOW, cursor=Cursor())


@pytest.fixture
async def sides(sqlite_url: str, postgres_url: str) -> AsyncIterator[list[Side]]:
    stores = [open_store(url) for url in (sqlite_url, postgres_url)]
    yield [Side(store) for store in stores]
    for store in stores:
        await store.close()


@pytest.mark.parametrize("group", range(GROUPS))
async def test_both_dialects_tell_the_same_story(sides: list[Side], group: int) -> None:
    now = NOW
    for seed in range(group, SEQUENCES, GROUPS):
        story = Story(seed, sides, now)
        await story.run()
        now = story.now + DAY
