"""The jobs contract: one policy per key, replaced as a whole."""

from __future__ import annotations

from datetime import timedelta

from tickwright.model.job import DEFAULT_POLICY, Backoff, Job, Policy
from tickwright.store.base import JobEdit, Store
from tickwright.store.database import new_id

from .conftest import Another
from .support import ACME, MINUTE, OTHER, SCOPES, SECOND, change, put_job, together, write_job

EVERYTHING = Policy(
    queue="mail",
    priority=9,
    max_attempts=100,
    backoff=Backoff(timedelta(microseconds=1), 1.5, timedelta(days=3, microseconds=7), False),
    timeout=timedelta(seconds=0.1),
    max_lost=0,
)


async def test_a_job_without_a_row_is_not_there(store: Store) -> None:
    assert await store.jobs.get(ACME, "report") is None


async def test_a_policy_is_read_back_as_it_was_written(store: Store) -> None:
    for policy in (EVERYTHING, DEFAULT_POLICY):
        job = Job(new_id(), ACME, policy.queue, policy)
        assert await write_job(store, job) == job
        assert await store.jobs.get(ACME, policy.queue) == job


async def test_putting_again_replaces_the_policy_and_keeps_the_id(store: Store) -> None:
    first = await put_job(store, timeout=MINUTE)
    second = await put_job(store, timeout=SECOND)
    assert (second.id, second.version) == (first.id, 2)
    assert await store.jobs.get(ACME, "report") == second
    assert second.policy.timeout == SECOND


async def test_every_put_leaves_a_change_of_the_stored_job(store: Store) -> None:
    first = await put_job(store)
    await put_job(store)
    changes = (await store.changes.find(ACME, 10, 0)).items
    assert [(each.resource_id, each.version) for each in changes] == [(first.id, 2), (first.id, 1)]


async def test_one_key_may_have_a_policy_in_every_scope(store: Store) -> None:
    made = {scope: await put_job(store, scope=scope) for scope in SCOPES}
    assert {scope: await store.jobs.get(scope, "report") for scope in SCOPES} == made
    await put_job(store, scope=OTHER, priority=1)
    assert await store.jobs.get(ACME, "report") == made[ACME]


async def test_concurrent_puts_of_a_new_key_all_succeed(store: Store, another: Another) -> None:
    stores = [store, another(), another()] * 2
    answers = await together(*(put_job(each) for each in stores))
    assert sorted(answer.version for answer in answers) == [1, 2, 3, 4, 5, 6]
    assert len({answer.id for answer in answers}) == 1
    stored = await store.jobs.get(ACME, "report")
    assert stored is not None
    assert stored.version == 6


async def test_jobs_are_found_in_the_order_of_their_keys(store: Store) -> None:
    for key in ("mail.b", "mail.a", "report", "100%"):
        await put_job(store, key)
    await put_job(store, "mail.c", OTHER)
    found = await store.jobs.find(ACME, 2, 1)
    assert ([job.key for job in found.items], found.total) == (["mail.a", "mail.b"], 4)
    assert [job.key for job in (await store.jobs.find(ACME, 9, 0, "MAIL.")).items] == [
        "mail.a",
        "mail.b",
    ]
    assert [job.key for job in (await store.jobs.find(ACME, 9, 0, "%")).items] == ["100%"]


async def test_a_deleted_job_is_gone_and_its_change_says_so(store: Store) -> None:
    made = await put_job(store)

    def gone(current: Job | None) -> JobEdit:
        assert current == made
        return JobEdit(made, change(made, "delete"), deletes=True)

    assert await store.jobs.write(ACME, "report", gone) == made
    assert await store.jobs.get(ACME, "report") is None
    assert [each.action for each in (await store.changes.find(ACME, 1, 0)).items] == ["delete"]


async def test_nothing_is_written_when_nothing_is_wanted(store: Store) -> None:
    assert await store.jobs.write(ACME, "report", lambda current: None) is None
    made = await put_job(store)
    assert await store.jobs.write(ACME, "report", lambda current: None) == made
    assert (await store.changes.find(ACME, 10, 0)).total == 1
