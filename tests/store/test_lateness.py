"""Runs that become late while they wait are in one sweep's answer each."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tickwright.model.run import Run
from tickwright.store.answers import Overdue
from tickwright.store.base import Store

from .conftest import Another
from .support import (
    ACME,
    HOUR,
    MINUTE,
    NOW,
    OTHER,
    SECOND,
    add,
    create,
    put_job,
    schedule,
    together,
)


async def waiting(store: Store, *moments: datetime) -> list[Run]:
    """Runs due at those moments, late after a minute."""
    await put_job(store, sla_start=MINUTE)
    await create(store, schedule())
    return [await add(store, ACME, "nightly", moment) for moment in moments]


def told(found: Overdue) -> set[UUID]:
    return {run.id for run in found.runs}


async def test_a_run_is_late_after_the_time_its_job_allows(store: Store) -> None:
    first, second = await waiting(store, NOW, NOW + SECOND)
    assert await store.queue.overdue(NOW + MINUTE, 10) == Overdue(NOW + MINUTE)
    found = await store.queue.overdue(NOW + MINUTE + SECOND, 10)
    assert [run.id for run in found.runs] == [first.id]
    [run] = found.runs
    assert (run.scope, run.schedule_id, run.schedule_key) == (
        ACME,
        first.schedule_id,
        "nightly",
    )
    assert (run.run_at, run.late_at) == (NOW, NOW + MINUTE)
    found = await store.queue.overdue(NOW + HOUR, 10)
    assert told(found) == {second.id}
    assert await store.queue.overdue(NOW + 2 * HOUR, 10) == Overdue(NOW + 2 * HOUR)


async def test_other_jobs_and_other_scopes_are_not_asked(store: Store) -> None:
    await waiting(store)
    await create(store, schedule("other", job_key="other"), schedule(scope=OTHER))
    await add(store, ACME, "other")
    await add(store, OTHER, "nightly")
    assert (await store.queue.overdue(NOW + HOUR, 10)).runs == []


async def test_without_a_job_that_asks_for_it_nothing_is_swept(store: Store) -> None:
    await put_job(store)
    await create(store, schedule())
    await add(store, ACME, "nightly")
    assert await store.queue.overdue(NOW + HOUR, 10) == Overdue()


async def test_jobs_allow_different_times(store: Store) -> None:
    [first] = await waiting(store, NOW)
    await put_job(store, "patient", sla_start=HOUR)
    await create(store, schedule("other", job_key="patient"))
    other = await add(store, ACME, "other")
    assert told(await store.queue.overdue(NOW + HOUR, 10)) == {first.id}
    assert told(await store.queue.overdue(NOW + HOUR + SECOND, 10)) == {other.id}


async def test_a_sweep_that_is_full_stops_between_moments(store: Store) -> None:
    moments = [NOW, NOW + SECOND, NOW + SECOND, NOW + SECOND, NOW + 2 * SECOND]
    made = await waiting(store, *moments)
    first = await store.queue.overdue(NOW + HOUR, 2)
    assert (told(first), first.through) == ({made[0].id}, NOW + SECOND + MINUTE)
    second = await store.queue.overdue(NOW + HOUR, 2)
    assert told(second) == {run.id for run in made[1:4]}
    third = await store.queue.overdue(NOW + HOUR, 2)
    assert (told(third), third.through) == ({made[4].id}, NOW + HOUR)


async def test_sweeps_at_once_tell_each_run_once(store: Store, another: Another) -> None:
    made = await waiting(store, *(NOW + n * SECOND for n in range(20)))
    stores = [store, another(), another()]
    answers: list[Overdue] = []
    for minutes in (61, 62, 63):
        now = NOW + minutes * SECOND + 5 * SECOND
        answers += await together(*(each.queue.overdue(now, 100) for each in stores))
    answers.append(await store.queue.overdue(NOW + HOUR, 100))
    found = [run.id for each in answers for run in each.runs]
    assert sorted(found) == sorted(run.id for run in made)
