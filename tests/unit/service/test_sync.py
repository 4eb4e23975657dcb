"""The synchronous front: the same words as the scheduler's, from any thread, and no hang."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tickwright import RunContext
from tickwright.bootstrap import Scheduler
from tickwright.model.errors import Conflict, InvalidInput, NotFound, StoreUnavailable
from tickwright.model.run import Run, RunStatus
from tickwright.model.scope import Scope, tenant
from tickwright.service.scheduler import Scheduler as Service
from tickwright.service.sync import SyncScheduler
from tickwright.triggers.interval import every

ACME = tenant("acme")
SOON = timedelta(seconds=30)
# A connection belongs to its own event loop, which a synchronous program does not have.
LEFT_OUT = {"create_schedule": {"connection"}}


def _public(kind: type) -> dict[str, Any]:
    functions = inspect.getmembers(kind, inspect.isfunction)
    return {name: function for name, function in functions if not name.startswith("_")}


@pytest.fixture
def front(sqlite_url: str) -> Iterator[SyncScheduler]:
    opened = SyncScheduler(Scheduler(sqlite_url))
    opened.open()
    yield opened
    opened.stop()


def _threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "tickwright-loop"]


def test_there_is_a_method_for_each_of_the_schedulers() -> None:
    assert sorted(_public(SyncScheduler)) == sorted(_public(Service))


@pytest.mark.parametrize("name", sorted(_public(Service)))
def test_signatures_are_the_same(name: str) -> None:
    mirrored, original = _public(SyncScheduler)[name], _public(Service)[name]
    expected = inspect.signature(original)
    left_out = LEFT_OUT.get(name, set())
    kept = [each for each in expected.parameters.values() if each.name not in left_out]
    answer = expected.return_annotation
    if inspect.isasyncgenfunction(original):
        answer = f"Iterator[{answer.removeprefix('AsyncGenerator[').removesuffix(', None]')}]"
    assert inspect.signature(mirrored) == expected.replace(
        parameters=kept, return_annotation=answer
    )
    assert not inspect.iscoroutinefunction(mirrored)


def test_what_is_written_can_be_read(front: SyncScheduler) -> None:
    made = front.create_schedule(ACME, "report", every("1d"), key="daily", payload={"a": 1})
    assert front.get_schedule(ACME, "daily") == made
    assert front.find_schedules(ACME).items == [made]
    assert list(front.armed(ACME)) == ["daily"]
    assert front.changes(ACME, ref="daily").total == 1
    assert front.status().schedules == 1


def test_errors_pass_through_unchanged(front: SyncScheduler) -> None:
    with pytest.raises(NotFound, match="there is no schedule nothing"):
        front.get_schedule(ACME, "nothing")
    front.create_schedule(ACME, "report", every("1d"), key="daily")
    with pytest.raises(Conflict):
        front.create_schedule(ACME, "report", every("1d"), key="daily")
    with pytest.raises(InvalidInput) as raised:
        front.statistics(ACME, "daily", days=0)
    assert raised.value.field == "days"


def test_handlers_run_while_it_is_started(sqlite_url: str) -> None:
    seen: list[str] = []
    front = SyncScheduler(Scheduler(sqlite_url))
    front.on_run_start(lambda run: seen.append(f"start {run.job_key}"))
    front.on_run_end(lambda end: seen.append(f"end {end.status}"))

    @front.handler("early")
    def early(tenant_id: str, payload: dict[str, Any]) -> str:
        return f"early {tenant_id}"

    with front:

        @front.handler("late")
        async def late(tenant_id: str, payload: dict[str, Any]) -> str:
            return f"late {tenant_id}"

        assert [_ran(front, "early").result, _ran(front, "late").result] == [
            "early acme",
            "late acme",
        ]
    assert seen == ["start early", "end succeeded", "start late", "end succeeded"]
    assert early("acme", {}) == "early acme"


def test_a_run_is_followed_and_its_log_read(sqlite_url: str) -> None:
    with SyncScheduler(Scheduler(sqlite_url)) as front:

        @front.handler("report")
        def report(tenant_id: str, payload: dict[str, Any], ctx: RunContext) -> None:
            ctx.log("hello")

        run = front.run_job(ACME, "report")
        updates = list(front.follow_run(ACME, run.id))
        assert [each.line.text for each in updates if each.line] == ["hello"]
        assert updates[-1].kind == "end"
        assert [line.text for line in front.run_logs(ACME, run.id).lines] == ["hello"]
        half_read = front.follow_run(ACME, run.id)
        next(half_read)


def test_a_sync_handler_may_use_it(sqlite_url: str) -> None:
    with SyncScheduler(Scheduler(sqlite_url)) as front:

        @front.handler("report")
        def report(tenant_id: str, payload: dict[str, Any]) -> int:
            return front.find_schedules(ACME).total

        assert _ran(front, "report").result == 1


def test_an_async_handler_that_uses_it_fails_instead_of_hanging(sqlite_url: str) -> None:
    with SyncScheduler(Scheduler(sqlite_url)) as front:
        outcome: list[str] = []

        @front.handler("report")
        async def report(tenant_id: str, payload: dict[str, Any]) -> None:
            try:
                front.workers()
            except RuntimeError as error:
                outcome.append(str(error))

        _ran(front, "report")
    assert outcome == ["this call would wait for itself: await the Scheduler's own method"]


def test_many_threads_may_use_it_at_once(front: SyncScheduler) -> None:
    def made(number: int) -> str:
        return front.create_schedule(ACME, "report", every("1d"), key=f"n{number}").key

    with ThreadPoolExecutor(8) as pool:
        keys = sorted(pool.map(made, range(40)))
    assert keys == sorted(f"n{number}" for number in range(40))
    assert front.find_schedules(ACME).total == 40
    assert len(_threads()) == 1


def test_it_runs_one_thread_from_first_use_until_it_stops(sqlite_url: str) -> None:
    before = _threads()
    front = SyncScheduler(Scheduler(sqlite_url))
    assert _threads() == before
    front.open()
    assert len(_threads()) == len(before) + 1
    front.stop()
    assert _threads() == before


def test_it_can_read_again_after_it_stopped(sqlite_url: str) -> None:
    front = SyncScheduler(Scheduler(sqlite_url))
    with front:
        front.create_schedule(ACME, "report", every("1d"), key="daily")
    assert front.get_schedule(ACME, "daily").key == "daily"
    front.stop()
    assert _threads() == []


def test_a_start_that_fails_leaves_no_thread_behind() -> None:
    before = _threads()
    front = SyncScheduler(Scheduler("postgresql://nobody@127.0.0.1:9/nothing"))
    with pytest.raises(StoreUnavailable), front:
        pytest.fail("it must not start")
    assert _threads() == before


def test_stopping_frees_those_who_wait(sqlite_url: str) -> None:
    front = SyncScheduler(Scheduler(sqlite_url))
    front.open()
    front.create_schedule(ACME, "report", every("1d"), key="daily")
    run = front.trigger_schedule(ACME, "daily")
    waiting = threading.Event()
    with ThreadPoolExecutor(1) as pool:

        def wait() -> Run:
            waiting.set()
            return front.wait_for_run(ACME, run.id, timedelta(hours=1))

        waiter = pool.submit(wait)
        waiting.wait()
        front.get_run(ACME, run.id)
        front.stop()
        with pytest.raises((CancelledError, RuntimeError)):
            waiter.result(timeout=10)


class Watched(Scheduler):
    """Tells when its waiting was cancelled."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.cancelled = threading.Event()

    async def wait_for_run(self, scope: Scope, run_id: UUID, timeout: timedelta) -> Run:
        try:
            return await super().wait_for_run(scope, run_id, timeout)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def test_an_interrupt_ends_the_waiting_and_nothing_else(sqlite_url: str) -> None:
    watched = Watched(sqlite_url)
    front = SyncScheduler(watched)
    front.create_schedule(ACME, "report", every("1d"), key="daily")
    run = front.trigger_schedule(ACME, "daily")
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        front.wait_for_run(ACME, run.id, timedelta(hours=1))
    assert watched.cancelled.wait(10)
    assert front.get_run(ACME, run.id).status is RunStatus.QUEUED
    front.stop()


def test_a_program_that_forgets_to_stop_ends_all_the_same(sqlite_url: str) -> None:
    program = (
        "from tickwright import Scheduler, SyncScheduler\n"
        f"front = SyncScheduler(Scheduler({sqlite_url!r}))\n"
        "front.start()\n"
        "print(front.status().ready)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=20, check=True
    )
    assert ended.stdout == b"True\n"


def _ran(front: SyncScheduler, job: str) -> Run:
    key = front.create_schedule(ACME, job, every("1d")).key
    run = front.trigger_schedule(ACME, key)
    ended = front.wait_for_run(ACME, run.id, SOON)
    assert ended.finished_at is not None
    return ended
