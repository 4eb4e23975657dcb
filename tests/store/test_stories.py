"""Both dialects, driven with the same random steps, tell the same and keep every invariant.

`STORE_STORIES` says how many stories are told; without it they are few, and always the same.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tickwright.engine.owed import Owed
from tickwright.engine.planner import plan_or_park
from tickwright.engine.retry import decide
from tickwright.model.job import Ambiguity, Backoff, BackoffKind, Job, Policy, Rate
from tickwright.model.run import (
    Cancelled,
    Cause,
    Claimed,
    Ending,
    Failed,
    Items,
    Lost,
    Outcome,
    RunStatus,
    Snoozed,
    Succeeded,
)
from tickwright.model.schedule import Misfire, Overlap, Schedule
from tickwright.model.scope import organization, tenant
from tickwright.service import edits
from tickwright.service.edits import Declaration, Who
from tickwright.service.options import Wishes
from tickwright.store.base import Edit, Offer, Store, Work
from tickwright.store.queries import RunQuery, ScheduleQuery

from .arena import Arena, Lease, Row, Side, arena, label
from .ledger import policy_of
from .story import Story, told
from .support import MINUTE, NOW, SECOND, creating, worker, write_job

SCOPES = (tenant("t"), organization("t", "o"), tenant("u"))
LEASE = 2 * MINUTE
JOBS = ("plain", "urgent", "slow")
POLICIES = {
    "usual": Policy(),
    "first": Policy(priority=9, max_attempts=1),
    "last": Policy(priority=1, max_attempts=1, dead_letter=False),
    "elsewhere": Policy(queue="slow", max_attempts=2, backoff=Backoff(kind=BackoffKind.NONE)),
    "fragile": Policy(max_lost=0, backoff=Backoff(2 * SECOND, jitter=False)),
    "once": Policy(on_ambiguous=Ambiguity.FAIL, max_attempts=4),
    "alone": Policy(concurrency=1),
    "by twos": Policy(concurrency=2, tenant_concurrency=3),
    "by key": Policy(key_concurrency=1, concurrency_key="n"),
    "slowly": Policy(rate=Rate(2, 20 * SECOND)),
}
OUTCOMES: dict[str, Outcome] = {
    "succeeded": Succeeded({"rows": 3}, Items(3, 2, 1)),
    "failed": Failed("boom"),
    "useless": Failed("boom", retryable=False, items=Items(1, 0, 1)),
    "ambiguous": Failed("slow down", ambiguous=True, retry_after=7 * SECOND),
    "cancelled": Cancelled(),
    "snoozed": Snoozed(3 * SECOND),
}
anything = st.integers(0, 1 << 16)
scopes, jobs = st.sampled_from(SCOPES), st.sampled_from(JOBS)
handlers = st.sampled_from(("work", "else"))
overlaps = st.sampled_from(Overlap)
seconds = st.sampled_from((0, 1, 5, 20, 60, 130))
some = st.lists(anything, min_size=1, max_size=4)
outcomes = st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=4, max_size=4)
triggers = st.sampled_from((5, 20, 60, None))
"""Of so many seconds, or once."""
wishes = st.fixed_dictionaries(
    {"overlap": overlaps},
    optional={
        "overlap_limit": st.integers(1, 3),
        "max_runs": st.sampled_from((1, 2, 5, None)),
        "misfire": st.sampled_from(Misfire),
        "payload": st.sampled_from(({"n": 1}, {"n": 2})),
    },
)


class Stories(Story):
    """What may happen to two stores."""

    @initialize(
        first=wishes,
        second=wishes,
        scope=scopes,
        policy=st.sampled_from(sorted(POLICIES)),
        job=jobs,
    )
    def begin(self, first: Row, second: Row, scope: Any, policy: Policy, job: str) -> None:
        self.create(SCOPES[0], "plain", 5, first, "work")
        self.create(scope, job, 20, second, "work")
        self.job(scope, job, policy)
        self.register(True)
        self.register(False)
        self.fire(20, 0, None)

    @rule(scope=scopes, job=jobs, trigger=triggers, wishes=wishes, handler=handlers)
    def create(self, scope: Any, job: str, trigger: int | None, wishes: Row, handler: str) -> None:
        key, now = f"k{self.next() % 5}", self.moment()
        target = {"target": {"type": "handler", "name": handler}}
        given = {"payload": {}, "enabled": True, **wishes, **target}
        wanted = Declaration(scope, key, job, self.trigger(trigger), Wishes(given))
        made = edits.create(None, wanted, Who(now))
        new = replace(made.schedule, id=UUID(int=self.serial))
        self._edit(new, "create", creating(new), now)
        if self.row(new):
            self.schedules.append(new)

    @rule(which=anything, trigger=triggers, wishes=wishes, changes=st.booleans())
    def update(self, which: int, trigger: int | None, wishes: Row, changes: bool) -> None:
        of, now = self.one(self.schedules, which), self.moment()
        given = self.trigger(trigger) if changes else None
        decide = lambda s: edits.update(s, of.id, Wishes(wishes), given, Who(now))  # noqa: E731
        self._edit(of, "update", decide, now)

    @rule(which=anything, action=st.sampled_from(("pause", "pause", "cancel", "delete")))
    def stop(self, which: int, action: str) -> None:
        of, now = self.one(self.schedules, which), self.moment()
        made = {"pause": edits.pause, "cancel": edits.cancel, "delete": edits.delete}[action]
        self._edit(of, action, lambda s: made(s, of.id, Who(now)), now)

    @rule(which=anything)
    def resume(self, which: int) -> None:
        paused = [s for s in self.schedules if self.row(s).get("status") == "paused"]
        of, now = self.one(paused or self.schedules, which), self.moment()
        self._edit(of, "resume", lambda s: edits.resume(s, of.id, Who(now)), now)

    @rule(scope=scopes, key=jobs, policy=st.sampled_from(sorted(POLICIES)))
    def job(self, scope: Any, key: str, policy: str) -> None:
        job = Job(UUID(int=self.next()), scope, key, POLICIES[policy])

        async def write(side: Side) -> object:
            return (await write_job(side.store, job)).version

        self.both(write)

    @rule(after=seconds, which=anything, slots=st.sampled_from((None, 0, 100)))
    def fire(self, after: int, which: int, slots: int | None) -> None:
        self.advance(after)
        now, offer = self.moment(), None
        if slots is not None:
            offer = replace(self.one(self.offers, which), slots=slots)

        async def fire(side: Side) -> object:
            fired = await side.store.firing.fire(now, 100, lambda d: plan_or_park(d, now), offer)
            undone = sorted((u.schedule_key, u.decision.nominal_at) for u in fired.undone)
            return fired.schedules, fired.queued, sorted(side.keep(fired.claimed)), undone

        _, _, claimed, _ = self.both(fire, leased=lambda answer: answer[2])
        late = [c for c in self.rows["schedule_cursors"].values() if _is_by(c["next_run_at"], now)]
        assert not late, f"not fired: {late}"
        if offer is not None:
            self.check_claims(claimed, offer, now)

    def work(
        self,
        after: int,
        which: int,
        slots: int,
        begun: list[int],
        ended: list[int],
        ends: list[str],
    ) -> None:
        """One round of everything that a process does all the time."""
        self.fire(after, which, 100 if which % 2 else None)
        self.claim(which, slots)
        if self.leases:
            self.start(begun)
            self.finish(ended, ends)

    @rule(which=anything, slots=st.integers(1, 6), begun=some, ends=outcomes)
    def crash(self, which: int, slots: int, begun: list[int], ends: list[str]) -> None:
        """Workers vanish with runs in their hands, begun or not, and report when it is too late."""
        self.claim(which, slots)
        if which % 3 and self.leases:
            self.start(begun)
        self.rescue(130, bool(which % 2))
        self.register(True)
        self.claim(-1, slots)
        if self.stale():
            self.finish([5 * number for number in begun], ends)

    @rule(which=anything, slots=st.integers(1, 6))
    def claim(self, which: int, slots: int) -> None:
        self.lift()
        offer, now = replace(self.one(self.offers, which), slots=slots), self.moment()
        before = self.rows

        async def claim(side: Side) -> list[Lease]:
            return side.keep(await side.store.queue.claim(offer, now))

        claimed: list[Lease] = self.both(claim, leased=lambda answer: answer)
        self.check_claims(claimed, offer, now)
        ready = {key for (key,), row in before["runs"].items() if self.is_for(row, offer)}
        taken = {name for name, _ in claimed}
        assert taken <= ready, f"not ready: {taken - ready}"
        if len(claimed) < slots and self.lives(offer, now):
            left = [
                key for key in ready - taken if not policy_of(before, before["runs"][key,]).limited
            ]
            assert not left, f"left behind: {left}"

    @precondition(lambda self: self.leases)
    @rule(which=some)
    def start(self, which: list[int]) -> None:
        chosen = {lease: self.moment() for lease in self.some_leases(which)}

        async def start(side: Side) -> int:
            runs = [side.leases[lease] for lease in chosen]
            for run, moment in zip(runs, chosen.values(), strict=True):
                run.started_at = run.started_at or moment
            return await side.store.queue.started(runs)

        assert self.both(start) == len(self.ledger.held & chosen.keys())

    @precondition(lambda self: self.leases)
    @rule(which=some, outcomes=outcomes)
    def finish(self, which: list[int], outcomes: list[str]) -> None:
        chosen = self.some_leases(which)
        told = [OUTCOMES[name] for name in outcomes]
        ends = [(lease, o, self.moment()) for lease, o in zip(chosen, told, strict=False)]

        async def finish(side: Side) -> object:
            endings = [decide(side.leases[lease], o, now, 0.5) for lease, o, now in ends]
            accepted = await side.store.queue.finish(endings)
            return sorted(side.names[each] for each in accepted)

        accepted = self.both(finish, over=self.ledger.held & set(chosen))
        assert accepted == sorted(name for name, _ in self.over), "a stale lease, or a lost ending"

    @precondition(lambda self: self.leases)
    @rule(which=some)
    def release(self, which: list[int]) -> None:
        chosen, now = self.some_leases(which), self.moment()
        self.both(
            lambda side: side.store.queue.release([side.leases[each] for each in chosen], now),
            over=self.ledger.held & set(chosen),
        )

    @rule(wide=st.booleans())
    def register(self, wide: bool) -> None:
        new = worker(
            id=UUID(int=self.next()),
            lease_until=self.moment() + LEASE,
            queues=("default", "slow") if wide else ("default",),
            handlers=("work", "else") if wide else ("work",),
        )
        self.offers.append(Offer(new.id, new.queues, new.handlers, new.slots))
        self.both(lambda side: side.store.workers.register(new))

    @rule(which=anything)
    def beat(self, which: int) -> None:
        offer, now = self.one(self.offers, which), self.moment()
        beating = worker(id=offer.worker_id, handlers=offer.handlers)

        async def beat(side: Side) -> object:
            asked = await side.store.workers.beat(beating, now, LEASE)
            return asked if asked is None else sorted(side.names[each] for each in asked)

        self.both(beat)

    @rule(after=st.sampled_from((0, 130)), expire=st.booleans())
    def rescue(self, after: int, expire: bool) -> None:
        """With 130 seconds every worker that was not heard of since is lost."""
        self.advance(after)
        if expire:
            self.expire()
        moments = {name: self.moment() for name, _ in sorted(self.ledger.held)}
        now = self.moment()

        def end(run: Claimed) -> Ending:
            return decide(run, Lost(run.started_at is not None), moments[label(run)], 0.5)

        async def rescue(side: Side) -> object:
            ended = await side.store.queue.rescue(now, 1000, end)
            return sorted((label(e.run), e.run.lease_token) for e in ended)

        orphans = {lease for lease in self.ledger.held if self.is_orphan(lease, now)}
        assert self.both(rescue, over=orphans) == sorted(orphans)
        self.check_sweep()

    def expire(self) -> None:
        now = self.moment()

        async def expire(side: Side) -> object:
            return sorted(each.id for each in await side.store.workers.expire(now))

        silent = [r for r in self.rows["workers"].values() if r["lease_until"] <= now]
        over = sorted(row["id"] for row in silent if row["status"] != "offline")
        assert self.both(expire) == over

    @precondition(lambda self: self.rows["runs"])
    @rule(which=anything)
    def cancel(self, which: int) -> None:
        rows = list(self.rows["runs"].values())
        running = [row for row in rows if row["status"] == "running"]
        row, now = self.one(running if running and which % 4 else rows, which), self.moment()

        async def cancel(side: Side) -> object:
            run_id = side.run_id(row["id"])
            run = await side.store.runs.cancel(_scope(row), run_id, now=now)
            return run and (label(run), run.status)

        self.both(cancel)

    @rule(which=anything, again=st.booleans(), force=st.booleans())
    def add(self, which: int, again: bool, force: bool) -> None:
        of, new, now = self.one(self.schedules, which), self.request(again, which), self.moment()
        wanted = replace(new, force=force)

        async def add(side: Side) -> object:
            return label(await side.store.runs.add(of.scope, of.key, wanted, now=now))

        self.both(told(add))

    @rule(scope=scopes, job=jobs, again=st.booleans(), which=anything)
    def start_without_schedule(self, scope: Any, job: str, again: bool, which: int) -> None:
        new, now = self.request(again, which), self.moment()
        work = Work(job, {"type": "handler", "name": "work"}, "work")

        async def start(side: Side) -> object:
            return label(await side.store.runs.start(scope, work, new, now=now))

        self.both(told(start))

    @precondition(lambda self: self.rows["runs"])
    @rule(which=anything, again=st.booleans())
    def replay(self, which: int, again: bool) -> None:
        rows = list(self.rows["runs"].values())
        ended = [row for row in rows if row["finished_at"]]
        row, now = self.one(ended or rows, which), self.moment()
        new = replace(self.request(again, which), cause=Cause.REPLAY)

        async def replay(side: Side) -> object:
            run_id = side.run_id(row["id"])
            run = await side.store.runs.replay(_scope(row), run_id, new, now=now)
            return run and label(run)

        self.both(told(replay))

    def lift(self) -> None:
        now = self.moment()
        self.both(lambda side: side.store.queue.lift(now))
        rows = self.rows["runs"].values()
        left = [r for r in rows if r["gate"] == "time" and r["run_at"] <= now]
        assert not left, f"still waiting: {left}"

    @rule(age=st.sampled_from((0, 60, 300)))
    def prune(self, age: int) -> None:
        now, keep = self.moment(), age * SECOND
        runs = self.rows["runs"]
        old = {key for key, row in runs.items() if _is_old(row, now - keep)}
        pruned = self.both(lambda side: _pruned(side.store, now, keep), pruned=True)
        gone = runs.keys() - self.rows["runs"].keys()
        assert (gone - old, len(gone)) == (set(), pruned)
        kept = Counter(runs[key]["schedule_id"] for key in old - gone)
        assert all(count == 1 for count in kept.values()), f"more than one is kept: {kept}"
        assert all(runs[key]["status"] in ("failed", "dead") for key in old - gone)
        left = [row for row in self.rows["attempts"].values() if (row["run_id"],) in gone]
        assert not left, f"attempts of nobody: {left}"

    @rule(
        scope=scopes,
        which=anything,
        status=st.sampled_from((None, *RunStatus)),
        skip=st.integers(0, 3),
    )
    def look(self, scope: Any, which: int, status: RunStatus | None, skip: int) -> None:
        of = self.one(self.schedules, which)
        asked = RunQuery(
            limit=7,
            offset=skip,
            schedule_id=of.id if which % 2 else None,
            statuses=(status,) if status else (),
        )
        order = ("createdAt", "-createdAt", "key", "-key")[which % 4]

        async def look(side: Side) -> object:
            store = side.store
            runs = (await store.runs.find(scope, asked)).items
            found = await store.schedules.find(scope, ScheduleQuery(limit=9, order=order))
            return (
                [label(run) for run in runs],
                found.items,
                await store.schedules.armed(scope),
                await store.schedules.days(of.scope, of.id, NOW.date()),
                await store.workers.handlers(self.now),
                [w.id for w in sorted(await store.workers.all(), key=lambda w: w.id)],
                [
                    (c.resource_id, c.action)
                    for c in (await store.changes.find(scope, 9, skip)).items
                ],
            )

        self.both(look)

    def _edit(
        self, of: Schedule, action: str, decide: Callable[..., Edit | None], now: datetime
    ) -> None:
        async def edit(side: Side) -> object:
            owed = Owed(action, now)
            ref = of.key if action == "create" else of.id
            made = await side.store.schedules.write(of.scope, ref, decide, settle=owed.settle)
            return made, owed.fired

        self.both(told(edit), edits=of.id)


def _work(name: str) -> Any:
    def work(self: Stories, **given: Any) -> None:
        self.work(**given)

    work.__name__ = name
    drawn: dict[str, Any] = {"after": seconds, "which": anything, "slots": st.integers(1, 6)}
    return rule(**drawn, begun=some, ended=some, ends=outcomes)(work)  # type: ignore[no-untyped-call]


# Hypothesis leaves out rules at random, and every one is as likely as any other.
for _number in range(6):
    setattr(Stories, f"work_{_number}", _work(f"work_{_number}"))


def _scope(row: Row) -> Any:
    return next(scope for scope in SCOPES if scope.key == row["scope_key"])


def _is_by(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


async def _pruned(store: Store, now: datetime, keep: timedelta) -> int:
    return (await store.upkeep.prune_old(now, keep, 1000)).runs


def _is_old(row: Row, before: datetime) -> bool:
    ended = row["status"] not in ("queued", "running")
    return bool(ended and (row["finished_at"] or row["run_at"]) < before)


@pytest.fixture
def both(postgres_url: str) -> Iterator[Arena]:
    with arena(postgres_url) as opened:
        yield opened


@pytest.mark.timeout(7200)
def test_both_dialects_tell_the_same_story_and_keep_the_books(both: Arena) -> None:
    asked = os.environ.get("STORE_STORIES")

    class Told(Stories):
        arena = both

    run_state_machine_as_test(
        Told,
        settings=settings(
            max_examples=int(asked or 14),
            stateful_step_count=40,
            derandomize=asked is None,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
