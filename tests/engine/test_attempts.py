"""How attempts end: whatever a handler does, its run says so and the others go on."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Any

import pytest

from tickwright import Backoff, Policy, RunContext, Scheduler, at, every
from tickwright.model.errors import InvalidInput
from tickwright.model.run import Claimed, Failed, Items, Outcome, Run, RunStatus, Succeeded
from tickwright.model.schedule import Health, ScheduleStatus
from tickwright.testing import FakeClock, ManualScheduler

from .support import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    START,
    Heard,
    Work,
    failing,
    runs_of,
    the_run,
    within,
)

STEADY = Policy(backoff=Backoff(jitter=False))
ONCE = Policy(max_attempts=1)


async def once(scheduler: ManualScheduler, key: str = "once", job: str = "report") -> Run:
    """The run of a single time that is due now, as it is after one tick."""
    now = await scheduler.clock.now()
    await scheduler.create_schedule(ACME, job, at(now), key=key)
    await scheduler.tick()
    return await the_run(scheduler, key)


# Failing and trying again


async def test_a_failing_run_backs_off_and_ends_dead_after_its_attempts(
    scheduler: ManualScheduler,
) -> None:
    work = failing()
    scheduler.register_handler("report", work)
    await scheduler.define_job(ACME, "report", STEADY)
    run = await once(scheduler)
    assert (run.status, run.attempt) == (RunStatus.QUEUED, 2)
    assert run.run_at == START + 10 * SECOND
    assert run.error is not None
    assert run.error.startswith("ValueError: boom")
    await scheduler.advance(9 * SECOND)
    assert work.attempts == [1]
    await scheduler.advance(SECOND)
    assert work.attempts == [1, 2]
    await scheduler.advance(DAY)
    assert work.attempts == [1, 2, 3]
    run = await the_run(scheduler, "once")
    assert (run.status, run.attempt, run.finished_at) == (RunStatus.DEAD, 3, START + 30 * SECOND)
    tries = await scheduler.attempts(ACME, run.id)
    assert [(t.attempt, t.outcome, t.finished_at) for t in tries] == [
        (1, "failed", START),
        (2, "failed", START + 10 * SECOND),
    ]
    assert len({call.idempotency_key for call in work.calls}) == 1
    schedule = await scheduler.get_schedule(ACME, "once")
    assert (schedule.stats.run_count, schedule.stats.failure_count) == (1, 1)


async def test_by_default_half_of_each_wait_is_random(quick: ManualScheduler) -> None:
    quick.register_handler("report", failing())
    run = await once(quick)
    assert START + 5 * SECOND <= run.run_at <= START + 10 * SECOND


async def test_a_recurring_schedule_goes_on_however_its_runs_end(
    scheduler: ManualScheduler,
) -> None:
    work = failing()
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    await scheduler.advance(3 * HOUR + 30 * MINUTE)
    assert work.attempts == [1, 2, 3] * 3
    runs = await runs_of(scheduler, "hourly")
    assert [(run.status, run.nominal_at) for run in runs] == [
        (RunStatus.DEAD, START + n * HOUR) for n in (1, 2, 3)
    ]
    schedule = await scheduler.get_schedule(ACME, "hourly")
    assert schedule.status is ScheduleStatus.ACTIVE
    assert schedule.next_run_at == START + 4 * HOUR
    assert schedule.stats.failure_streak == 3
    assert await scheduler.health(schedule) == [Health.FAILING]


async def test_a_success_ends_the_streak_of_failures(quick: ManualScheduler, work: Work) -> None:
    bad = failing()
    quick.register_handler("report", bad)
    await quick.define_job(ACME, "report", ONCE)
    await quick.create_schedule(ACME, "report", every("1h"), key="hourly")
    await quick.advance(2 * HOUR)
    quick.register_handler("report", work)
    await quick.advance(HOUR)
    stats = (await quick.get_schedule(ACME, "hourly")).stats
    assert (stats.run_count, stats.success_count, stats.failure_count) == (3, 1, 2)
    assert (stats.failure_streak, stats.last_status) == (0, "succeeded")
    assert (stats.last_run_at, stats.last_success_at) == (START + 3 * HOUR, START + 3 * HOUR)


async def test_a_run_that_succeeds_at_last_is_one_success(
    quick: ManualScheduler, work: Work
) -> None:
    quick.register_handler("report", failing())
    await once(quick)
    quick.register_handler("report", work)
    await quick.advance(MINUTE)
    run = await the_run(quick, "once")
    assert (run.status, run.attempt, run.error) == (RunStatus.SUCCEEDED, 2, None)
    schedule = await quick.get_schedule(ACME, "once")
    assert (schedule.stats.run_count, schedule.stats.failure_count) == (1, 0)
    assert schedule.status is ScheduleStatus.COMPLETED


async def test_the_policy_is_read_when_a_run_ends_not_when_it_was_made(
    quick: ManualScheduler,
) -> None:
    work = failing()
    quick.register_handler("report", work)
    await once(quick)
    await quick.define_job(ACME, "report", Policy(max_attempts=2))
    await quick.advance(DAY)
    assert work.attempts == [1, 2]
    assert (await the_run(quick, "once")).status is RunStatus.DEAD


# What handlers do wrong


class OwnStop(BaseException):
    """Not an Exception, as some frameworks' signals are not."""


def exits() -> None:
    sys.exit(3)


def interrupts() -> None:
    raise KeyboardInterrupt


def stops() -> None:
    raise OwnStop("enough")


def cancels() -> None:
    raise asyncio.CancelledError


def returns_a_set() -> Any:
    return {1, 2}


def returns_itself() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def returns_nul() -> Any:
    return {"text": "a\x00b"}


def raises_nul() -> None:
    raise ValueError("a\x00b\ud800" + "☃" * 10_000)


@pytest.mark.parametrize(
    ("does", "error", "status"),
    [
        (exits, "SystemExit: 3", RunStatus.QUEUED),
        (interrupts, "KeyboardInterrupt", RunStatus.QUEUED),
        (stops, "OwnStop: enough", RunStatus.QUEUED),
        (cancels, "CancelledError", RunStatus.QUEUED),
        (raises_nul, "ValueError: a", RunStatus.QUEUED),
        (returns_a_set, "cannot be written as JSON", RunStatus.FAILED),
        (returns_itself, "nested deeper", RunStatus.FAILED),
        (returns_nul, "NUL", RunStatus.FAILED),
    ],
)
@pytest.mark.parametrize("on_loop", [True, False])
async def test_whatever_a_handler_does_its_run_tells_and_the_next_one_runs(
    quick: ManualScheduler, work: Work, does: Any, error: str, status: RunStatus, on_loop: bool
) -> None:
    async def awaited(tenant_id: str, payload: Any) -> Any:
        return does()

    quick.register_handler("bad", awaited if on_loop else lambda tenant_id, payload: does())
    quick.register_handler("report", work)
    run = await once(quick, "bad", "bad")
    assert run.status is status
    assert run.error is not None
    assert error in run.error
    assert (await once(quick)).status is RunStatus.SUCCEEDED


async def test_a_handler_that_cancels_its_own_task_fails_only_its_run(
    quick: ManualScheduler, work: Work
) -> None:
    async def suicidal(tenant_id: str, payload: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    quick.register_handler("bad", suicidal)
    quick.register_handler("report", work)
    run = await once(quick, "bad", "bad")
    assert (run.status, run.error) == (RunStatus.QUEUED, "the handler cancelled itself")
    assert (await once(quick)).status is RunStatus.SUCCEEDED


async def test_a_handler_that_hangs_is_timed_out_and_its_slot_is_free_again(
    sqlite_url: str, clock: FakeClock, work: Work
) -> None:
    hung = Work()
    hung.hold()
    async with ManualScheduler(sqlite_url, clock=clock, slots=1) as scheduler:
        scheduler.register_handler("bad", hung)
        scheduler.register_handler("report", work)
        await scheduler.define_job(ACME, "bad", Policy(timeout=timedelta(milliseconds=50)))
        run = await within(once(scheduler, "bad", "bad"))
        assert (run.status, run.error) == (RunStatus.QUEUED, "timed out after 0.05 s")
        assert hung.cancelled.is_set()
        assert (await once(scheduler)).status is RunStatus.SUCCEEDED


async def test_a_timeout_inside_the_work_is_not_mistaken_for_the_attempts_own(
    quick: ManualScheduler,
) -> None:
    def times_out(tenant_id: str, payload: Any) -> None:
        raise TimeoutError("the other side was slow")

    quick.register_handler("report", times_out)
    run = await once(quick)
    assert run.error is not None
    assert run.error.startswith("TimeoutError: the other side was slow")


async def test_a_handler_may_change_its_payload_without_changing_the_next_attempts(
    quick: ManualScheduler,
) -> None:
    seen: list[dict[str, Any]] = []

    def greedy(tenant_id: str, payload: dict[str, Any]) -> None:
        seen.append({"list": list(payload["list"])})
        payload["list"].clear()
        raise ValueError

    quick.register_handler("report", greedy)
    await quick.create_schedule(ACME, "report", at(START), key="once", payload={"list": [1, 2]})
    await quick.advance(MINUTE)
    assert seen == [{"list": [1, 2]}] * 3


async def test_a_result_is_kept_with_the_run(scheduler: ManualScheduler) -> None:
    scheduler.register_handler("report", lambda tenant_id, payload: {"sent": [1, "☃", None]})
    run = await once(scheduler)
    assert (run.status, run.result) == (RunStatus.SUCCEEDED, {"sent": [1, "☃", None]})


# What targets of others do wrong


class Odd:
    """A target as an outside package might write it; it answers whatever it is given."""

    def __init__(self, answer: Any, kind: str = "odd") -> None:
        self.type, self.answer = kind, answer

    def check(self, target: Any) -> dict[str, Any]:
        if set(target) != {"type"}:
            raise InvalidInput("target.type", "takes nothing else")
        return dict(target)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def deliver(self, run: Claimed) -> Outcome:
        if isinstance(self.answer, BaseException):
            raise self.answer
        answer: Outcome = self.answer
        return answer


def plug_in(scheduler: Scheduler, target: Odd) -> None:
    targets = scheduler._runtime.parts.targets
    assert isinstance(targets, dict)
    targets[target.type] = target


ODD_ANSWERS: list[tuple[Any, RunStatus]] = [
    (None, RunStatus.QUEUED),
    ("fine", RunStatus.QUEUED),
    (OwnStop("enough"), RunStatus.QUEUED),
    (SystemExit(1), RunStatus.QUEUED),
    (Failed("busy", retry_after=timedelta.max), RunStatus.QUEUED),
    (Succeeded(result={1, 2}), RunStatus.FAILED),
    (Succeeded(result="a\x00b"), RunStatus.FAILED),
    (Succeeded(result={"a": float("nan")}), RunStatus.FAILED),
    (Succeeded(items=Items(2**70, 0, 0)), RunStatus.FAILED),
    (Failed("a\x00b", retryable=False), RunStatus.FAILED),
    (Failed("\ud800", retryable=False), RunStatus.FAILED),
]


async def test_whatever_targets_answer_each_run_tells_and_the_others_are_written(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    for number, (answer, _) in enumerate(ODD_ANSWERS):
        odd = Odd(answer, f"odd-{number}")
        plug_in(scheduler, odd)
        for key, target in ((odd.type, {"type": odd.type}), (f"k{number}", None)):
            options: Any = {} if target is None else {"target": target}
            await scheduler.create_schedule(ACME, "report", at(START), key=key, **options)
    await scheduler.tick()
    for number, (answer, status) in enumerate(ODD_ANSWERS):
        odd_run = await the_run(scheduler, f"odd-{number}")
        assert odd_run.status is status, answer
        assert odd_run.error, answer
        assert (await the_run(scheduler, f"k{number}")).status is RunStatus.SUCCEEDED


async def test_a_target_that_this_process_lost_fails_the_attempt(quick: ManualScheduler) -> None:
    plug_in(quick, Odd(Succeeded()))
    await quick.create_schedule(ACME, "odd", at(START), key="odd", target={"type": "odd"})
    targets = quick._runtime.parts.targets
    assert isinstance(targets, dict)
    del targets["odd"]
    await quick.tick()
    run = await the_run(quick, "odd")
    assert run.status is RunStatus.QUEUED
    assert run.error == "LookupError: this process has no target of type 'odd'"


# Nobody serves the handler


async def test_a_run_without_a_handler_waits_visibly_and_runs_once_there_is_one(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    await scheduler.advance(HOUR + MINUTE)
    schedule = await scheduler.get_schedule(ACME, "hourly")
    assert await scheduler.health(schedule) == [Health.NO_HANDLER]
    waiting = await the_run(scheduler, "hourly")
    assert (waiting.status, waiting.attempt, waiting.started_at) == (RunStatus.QUEUED, 1, None)
    scheduler.register_handler("report", work)
    await scheduler.tick()
    assert work.times == [START + HOUR]
    assert (await the_run(scheduler, "hourly")).status is RunStatus.SUCCEEDED
    assert await scheduler.health(await scheduler.get_schedule(ACME, "hourly")) == [Health.OK]


async def test_a_handler_of_another_process_counts_as_served(
    database_url: str, clock: FakeClock, work: Work
) -> None:
    async with ManualScheduler(database_url, clock=clock) as without:
        schedule = await without.create_schedule(ACME, "report", every("1h"), key="hourly")
        assert await without.health(schedule) == [Health.NO_HANDLER]
        async with ManualScheduler(database_url, clock=clock) as serving:
            serving.register_handler("report", work)
            await serving.tick()
            assert await without.health(schedule) == [Health.OK]
            clock.advance(HOUR)
            await without.tick()
            assert work.calls == []
            await serving.tick()
            assert work.times == [START + HOUR]


async def test_a_queue_nobody_takes_from_keeps_its_runs(
    quick: ManualScheduler, work: Work, sqlite_url: str, clock: FakeClock
) -> None:
    quick.register_handler("report", work)
    await quick.define_job(ACME, "report", Policy(queue="heavy"))
    assert (await once(quick)).status is RunStatus.QUEUED
    async with ManualScheduler(sqlite_url, clock=clock, queues="heavy,other") as heavy:
        heavy.register_handler("report", work)
        await heavy.tick()
    assert (await the_run(quick, "once")).status is RunStatus.SUCCEEDED


async def test_the_context_tells_a_handler_about_its_run(quick: ManualScheduler) -> None:
    told: list[RunContext] = []

    def curious(tenant_id: str, payload: Any, ctx: RunContext) -> None:
        told.append(ctx)

    quick.register_handler("report", curious)
    run = await once(quick)
    [ctx] = told
    assert (ctx.run_id, ctx.scope, ctx.attempt) == (run.id, ACME, 1)
    assert (ctx.schedule_key, ctx.job_key, ctx.nominal_at) == ("once", "report", START)
    assert ctx.cancel_requested is False


async def test_higher_priority_runs_first(quick: ManualScheduler) -> None:
    order: list[str] = []

    def noted(tenant_id: str, payload: Any, ctx: RunContext) -> None:
        order.append(ctx.job_key)

    for job, priority in (("low", 1), ("high", 9), ("middle", 5)):
        await quick.define_job(ACME, job, Policy(priority=priority))
        await quick.create_schedule(ACME, job, at(START), key=job)
    await quick.tick()
    for job in ("low", "high", "middle"):
        quick.register_handler(job, noted)
    await quick.tick()
    assert order == ["high", "middle", "low"]


async def test_events_of_a_failing_run_say_whether_it_will_be_tried_again(
    quick: ManualScheduler, heard: Heard
) -> None:
    quick.register_handler("report", failing())
    await once(quick)
    await quick.advance(MINUTE)
    assert heard.names("run.") == [*["run.started", "run.failed"] * 3, "run.dead"]
    assert [event.data["willRetry"] for event in heard.of("run.failed")] == [True, True, False]
    assert [event.data["attempt"] for event in heard.of("run.failed")] == [1, 2, 3]
