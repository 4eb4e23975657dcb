"""What callers of the scheduler see: lists, layers, scopes, locks, audit and refusals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tickwright import (
    Conflict,
    InvalidInput,
    NotFound,
    NotPossible,
    Policy,
    Scheduler,
    VersionConflict,
    at,
    cron,
    every,
    organization,
)
from tickwright.model.schedule import Health, ScheduleStatus
from tickwright.model.scope import SYSTEM
from tickwright.service.scheduler import RunQuery, ScheduleQuery
from tickwright.store.database import new_id
from tickwright.testing import FakeClock, ManualScheduler

from .support import ACME, DAY, HOUR, MINUTE, OTHER, SECOND, START, Work, runs_of


async def test_the_next_occurrence_is_right_in_list_and_detail_whatever_was_done(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    create = scheduler.create_schedule
    await create(ACME, "report", every("1h"), key="hourly")
    await create(ACME, "report", cron("0 12 * * *"), key="edited")
    await create(ACME, "report", every("1h"), key="paused")
    await create(ACME, "report", at(START + MINUTE), key="completed")
    await create(ACME, "report", every("1h"), key="disabled", enabled=False)
    await create(ACME, "report", every("1h"), key="resumed")
    await scheduler.advance(90 * MINUTE)
    await scheduler.update_schedule(ACME, "edited", trigger=cron("0 8 * * *"))
    await scheduler.pause_schedule(ACME, "paused")
    await scheduler.pause_schedule(ACME, "resumed")
    await scheduler.advance(5 * HOUR)
    await scheduler.resume_schedule(ACME, "resumed")
    expected = {
        "hourly": START + 7 * HOUR,
        "edited": START + 23 * HOUR,
        "paused": None,
        "completed": None,
        "disabled": None,
        "resumed": START + 7 * HOUR,
    }
    listed = (await scheduler.find_schedules(ACME)).items
    assert {s.key: s.next_run_at for s in listed} == expected
    for key, upcoming in expected.items():
        assert (await scheduler.get_schedule(ACME, key)).next_run_at == upcoming
    assert await scheduler.armed(ACME) == {k: v for k, v in expected.items() if v is not None}


async def test_lists_can_be_ordered_by_the_next_occurrence(scheduler: ManualScheduler) -> None:
    for key, after in (("b", 2), ("a", 3), ("c", 1)):
        await scheduler.create_schedule(ACME, "report", at(START + after * HOUR), key=key)
    page = await scheduler.find_schedules(ACME, ScheduleQuery(order="nextRunAt"))
    assert [schedule.key for schedule in page.items] == ["c", "b", "a"]


# Registration


async def test_registering_again_changes_nothing_and_restarts_nothing(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    first = await scheduler.register(ACME, "often", "report", every("1h"), payload={"a": 1})
    for _ in range(6):
        await scheduler.advance(15 * MINUTE)
        again = await scheduler.register(ACME, "often", "report", every("1h"), payload={"a": 1})
        assert (again.id, again.version) == (first.id, 1)
    assert work.times == [START + HOUR]


async def test_registering_keeps_what_an_admin_overrode_and_disabling_stops(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.register(ACME, "often", "report", every("1h"))
    await scheduler.update_schedule(ACME, "often", trigger=every("2h"), actor="admin")
    again = await scheduler.register(ACME, "often", "report", every("30m"))
    assert (again.trigger["every"], again.next_run_at) == ("2h", START + 2 * HOUR)
    await scheduler.register(ACME, "often", "report", every("30m"), enabled=False)
    await scheduler.advance(DAY)
    assert work.calls == []
    await scheduler.register(ACME, "often", "report", every("30m"))
    await scheduler.advance(2 * HOUR)
    assert work.times == [START + DAY + 2 * HOUR]


async def test_an_admins_pause_survives_registration(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.register(ACME, "often", "report", every("1h"))
    await scheduler.pause_schedule(ACME, "often")
    await scheduler.register(ACME, "often", "report", every("30m"), description="new words")
    await scheduler.advance(DAY)
    assert work.calls == []


async def test_unregistering_frees_the_key_for_another_schedule(
    scheduler: ManualScheduler,
) -> None:
    first = await scheduler.register(ACME, "often", "report", every("1h"))
    assert await scheduler.unregister(ACME, "often") is True
    assert await scheduler.unregister(ACME, "often") is False
    second = await scheduler.register(ACME, "often", "report", every("1h"))
    assert second.id != first.id
    assert second.version == 1


async def test_a_made_up_key_is_found_again(quick: ManualScheduler) -> None:
    made = await quick.create_schedule(ACME, "report", every("1h"))
    assert made.key.startswith("report-")
    assert await quick.get_schedule(ACME, made.key) == await quick.get_schedule(ACME, made.id)


# Scopes


async def test_each_scope_has_its_own_schedules_jobs_and_runs(scheduler: ManualScheduler) -> None:
    scopes = (SYSTEM, ACME, OTHER, organization("acme", "north"))
    work = Work()
    scheduler.register_handler("report", work)
    for number, scope in enumerate(scopes):
        await scheduler.create_schedule(scope, "report", at(START), key="k", payload={"n": number})
        await scheduler.define_job(scope, "report", Policy(priority=number + 1))
    await scheduler.tick()
    for number, scope in enumerate(scopes):
        assert (await scheduler.find_schedules(scope)).total == 1
        assert (await scheduler.get_schedule(scope, "k")).payload == {"n": number}
        job = await scheduler.get_job(scope, "report")
        assert job is not None
        assert job.policy.priority == number + 1
        assert len(await runs_of(scheduler, scope=scope)) == 1
    assert {(tenant, payload["n"]) for tenant, payload in work.payloads} == {
        (None, 0),
        ("acme", 1),
        ("other", 2),
        ("acme", 3),
    }


Operation = Callable[[Scheduler, Any], Awaitable[object]]
OPERATIONS: list[Operation] = [
    lambda s, ref: s.get_schedule(OTHER, ref),
    lambda s, ref: s.update_schedule(OTHER, ref, max_runs=1),
    lambda s, ref: s.pause_schedule(OTHER, ref),
    lambda s, ref: s.resume_schedule(OTHER, ref),
    lambda s, ref: s.delete_schedule(OTHER, ref),
    lambda s, ref: s.trigger_schedule(OTHER, ref),
    lambda s, ref: s.statistics(OTHER, ref),
    lambda s, ref: s.changes(OTHER, ref=ref),
]


async def test_another_scopes_schedule_is_as_unknown_as_one_that_never_was(
    scheduler: ManualScheduler,
) -> None:
    made = await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    refs = ("hourly", made.id, "unknown", new_id(), str(made.id), "a\x00b", "\ud800", "")
    for operation in OPERATIONS:
        for ref in refs:
            with pytest.raises(NotFound):
                await operation(scheduler, ref)
    assert await scheduler.get_schedule(ACME, "hourly") == made


async def test_another_scopes_run_is_unknown(scheduler: ManualScheduler) -> None:
    await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    run = await scheduler.trigger_schedule(ACME, "hourly")
    for attempt in (
        scheduler.get_run(OTHER, run.id),
        scheduler.wait_for_run(OTHER, run.id, SECOND),
        scheduler.get_run(ACME, new_id()),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await scheduler.attempts(OTHER, run.id) == []
    assert (await scheduler.find_runs(OTHER, RunQuery(schedule_id=run.schedule_id))).total == 0


# Locks and audit


async def test_of_two_editors_the_second_is_told_of_the_first(scheduler: ManualScheduler) -> None:
    seen = await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    first = await scheduler.update_schedule(ACME, "hourly", max_runs=1, version=seen.version)
    with pytest.raises(VersionConflict):
        await scheduler.update_schedule(ACME, "hourly", max_runs=2, version=seen.version)
    assert (await scheduler.get_schedule(ACME, "hourly")).max_runs == 1
    again = await scheduler.update_schedule(ACME, "hourly", max_runs=2, version=first.version)
    assert again.version == 3


async def test_a_taken_key_is_a_conflict_and_changes_nothing(scheduler: ManualScheduler) -> None:
    made = await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    with pytest.raises(Conflict):
        await scheduler.create_schedule(ACME, "other", every("2h"), key="hourly")
    assert await scheduler.get_schedule(ACME, "hourly") == made


async def test_every_change_is_audited_with_who_when_and_what(
    scheduler: ManualScheduler, clock: FakeClock
) -> None:
    made = await scheduler.create_schedule(ACME, "report", every("1h"), key="k", actor="ada")
    await scheduler.update_schedule(ACME, "k", max_runs=3, actor="bob", reason="enough")
    clock.advance(MINUTE)
    await scheduler.pause_schedule(ACME, "k", actor="eve")
    await scheduler.pause_schedule(ACME, "k", actor="eve")
    await scheduler.create_schedule(ACME, "report", every("1h"), key="another")
    page = await scheduler.changes(ACME, ref="k")
    assert [(c.action, c.actor, c.version) for c in page.items] == [
        ("pause", "eve", 3),
        ("update", "bob", 2),
        ("create", "ada", 1),
    ]
    pause, update, create = page.items
    assert (pause.at, create.at) == (START + MINUTE, START)
    assert update.reason == "enough"
    assert (create.before, create.resource_id) == (None, made.id)
    assert update.before is not None
    assert update.after is not None
    assert (update.before["maxRuns"], update.after["maxRuns"]) == (None, 3)
    assert (await scheduler.changes(ACME)).total == 4


async def test_a_policy_is_set_audited_and_replaced(scheduler: ManualScheduler) -> None:
    first = await scheduler.define_job(ACME, "report", Policy(max_attempts=1), actor="ada")
    second = await scheduler.define_job(ACME, "report", Policy(max_attempts=2))
    assert (second.id, second.version) == (first.id, 2)
    assert await scheduler.get_job(ACME, "report") == second
    assert second.policy.max_attempts == 2
    with pytest.raises(NotFound):
        await scheduler.get_job(OTHER, "report")
    assert await scheduler.policy_of(OTHER, "report") == Policy()
    actions = [(c.action, c.resource, c.actor) for c in (await scheduler.changes(ACME)).items]
    assert actions == [("define", "job", None), ("define", "job", "ada")]


# Refusals


NUL = "a\x00b"


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda s: s.create_schedule(ACME, "report", cron("0 9 * * *"), key=""), "key"),
        (lambda s: s.create_schedule(ACME, "a/b", cron("0 9 * * *")), "jobKey"),
        (lambda s: s.create_schedule(ACME, "report", {"type": []}), "trigger.type"),
        (lambda s: s.create_schedule(ACME, "report", {"type": "cron", "expression": "* *"}),
         "trigger.expression"),
        (lambda s: s.create_schedule(ACME, "report", {"type": "interval", "every": "-1h"}),
         "trigger.every"),
        (lambda s: s.create_schedule(ACME, "report", at(START - HOUR)), "trigger"),
        (lambda s: s.create_schedule(ACME, "report", every("1h"), target=[]), "target"),
        (lambda s: s.create_schedule(ACME, "report", every("1h"), target={"type": "x"}),
         "target.type"),
        (lambda s: s.create_schedule(ACME, "report", every("1h"), target={"type": {}}),
         "target.type"),
        (lambda s: s.create_schedule(ACME, "report", every("1h"), actor=NUL), "actor"),
        (lambda s: s.update_schedule(ACME, "known"), "body"),
        (lambda s: s.update_schedule(ACME, "known", trigger={"type": "cron", "expression": "x"}),
         "trigger.expression"),
        (lambda s: s.update_schedule(ACME, "known", max_runs=0), "maxRuns"),
        (lambda s: s.update_schedule(ACME, "known", name=NUL), "name"),
        (lambda s: s.update_schedule(ACME, "known", max_runs=1, reason=NUL), "reason"),
        (lambda s: s.register(ACME, "known", "report", every("1h"), colour="red"), "colour"),
        (lambda s: s.pause_schedule(ACME, "known", reason="\ud800"), "reason"),
        (lambda s: s.resume_schedule(ACME, "known", actor=NUL), "actor"),
        (lambda s: s.delete_schedule(ACME, "known", actor=NUL), "actor"),
        (lambda s: s.trigger_schedule(ACME, "known", request_key=NUL), "requestId"),
        (lambda s: s.trigger_schedule(ACME, "known", request_key=""), "requestId"),
        (lambda s: s.trigger_schedule(ACME, "known", triggered_by=NUL), "triggeredBy"),
        (lambda s: s.statistics(ACME, "known", days=0), "days"),
        (lambda s: s.statistics(ACME, "known", days=366), "days"),
        (lambda s: s.define_job(ACME, "a/b", Policy()), "key"),
        (lambda s: s.define_job(ACME, "report", Policy(), actor=NUL), "actor"),
        (lambda s: s.find_schedules(ACME, ScheduleQuery(order="colour")), "sort"),
    ],
)  # fmt: skip
async def test_bad_input_is_refused_by_field_and_changes_nothing(
    quick: ManualScheduler, call: Callable[[Scheduler], Awaitable[object]], field: str
) -> None:
    made = await quick.create_schedule(ACME, "report", every("1h"), key="known")
    with pytest.raises(InvalidInput) as refused:
        await call(quick)
    assert refused.value.field == field
    assert await quick.get_schedule(ACME, "known") == made
    assert (await quick.find_schedules(ACME)).total == 1
    assert (await quick.changes(ACME)).total == 1


@pytest.mark.parametrize("order", [["pause", "cancel"], ["cancel"]])
async def test_a_cancelled_schedule_stays_cancelled(
    quick: ManualScheduler, order: list[str]
) -> None:
    await quick.create_schedule(ACME, "report", every("1h"), key="k")
    if "pause" in order:
        await quick.pause_schedule(ACME, "k")
    await quick.cancel_schedule(ACME, "k")
    with pytest.raises(NotPossible):
        await quick.resume_schedule(ACME, "k")
    with pytest.raises(NotPossible):
        await quick.update_schedule(ACME, "k", max_runs=1)
    assert (await quick.get_schedule(ACME, "k")).status is ScheduleStatus.CANCELLED


# Health and status


async def test_health_is_told_for_many_at_once(quick: ManualScheduler, clock: FakeClock) -> None:
    quick.register_handler("served", Work())
    await quick.tick()
    for job in ("served", "unserved"):
        await quick.create_schedule(ACME, job, every("1h"), key=job)
    page = await quick.find_schedules(ACME, ScheduleQuery(order="key"))
    assert await quick.health(*page.items) == [Health.OK, Health.NO_HANDLER]
    clock.advance(HOUR + MINUTE + SECOND)
    await quick._runtime.heart.beat(quick._store.workers, quick.clock)
    assert await quick.health(*page.items) == [Health.LATE, Health.NO_HANDLER]
    assert await quick.health() == []


async def test_the_status_tells_whether_this_process_is_fit_to_work(database_url: str) -> None:
    async with Scheduler(database_url) as running:
        status = await running.status()
        assert (status.ready, status.database, status.problems) == (True, "ok", [])
        assert status.workers_online == 1
        async with ManualScheduler(database_url) as idle:
            await idle.create_schedule(ACME, "report", every("1h"))
        status = await running.status()
        assert status.schedules == 1
    stopped = await running.status()
    await running.stop()
    assert (stopped.ready, stopped.problems) == (False, ["the engine is not running"])


async def test_the_status_tells_of_a_database_that_is_away() -> None:
    away = Scheduler("postgresql://nobody@127.0.0.1:1/none")
    status = await away.status()
    await away.stop()
    assert (status.ready, status.database) == (False, "unavailable")
    assert status.problems[0] == "the database cannot be reached"


async def test_a_loop_that_fails_makes_the_status_say_so(sqlite_url: str) -> None:
    async with Scheduler(sqlite_url) as running:
        running._runtime.loops["pruner"].error = "ValueError: boom"
        status = await running.status()
        assert status.ready is False
        assert status.problems == ["the pruner loop fails: ValueError: boom"]
