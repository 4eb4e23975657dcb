"""The database goes away, hangs or loses answers: processes stay up and nothing is lost."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from tests.faults import stuck_app
from tests.faults.conftest import StartEngine
from tests.faults.engines import Engine, until
from tests.faults.ledger import (
    SECOND,
    Wanted,
    assert_counted,
    assert_decided_once_a_second,
    assert_never_early,
    coming_second,
    connected,
    fill,
    ledger_when,
)
from tests.faults.world.processes import Process, command_line
from tests.faults.world.proxy import Proxy
from tickwright import at, every

RESUME_SECONDS = 10
LONGEST_PROBE_SECONDS = 3
LONGEST_REQUEST_SECONDS = 15


async def every_second(
    url: str, seconds: int, payload: dict[str, float]
) -> tuple[list[UUID], datetime, datetime]:
    """Ten schedules that are due each second; their ids, first and last instant."""
    first = await coming_second(1)
    last = first + (seconds - 1) * SECOND
    wanted = [
        Wanted(
            f"tenant-{n % 3}",
            every(SECOND, anchor=first),
            first,
            dict(payload),
            overlap="skip" if n % 2 else "allow",
            ends_at=last,
        )
        for n in range(10)
    ]
    return await fill(url, wanted), first, last


async def survive_an_outage(
    url: str, start_engine: StartEngine, *, seconds: int, lease_seconds: int
) -> Engine:
    """Cut the database off for some seconds; the engine, when all is over."""
    async with Proxy(url) as proxy:
        engine = start_engine(
            proxy.url, lease_seconds=lease_seconds, sweep_seconds=1, watch_status=True
        )
        await engine.ready()
        ids, first, last = await every_second(url, seconds + 4, {"seconds": 0.3})
        await until(lambda: len(engine.runs()) >= 15, 10, "the second instant is under way")
        await proxy.cut()
        cut_at = time.monotonic()
        await asyncio.sleep(seconds)
        assert engine.alive
        assert_says_so(engine, since=cut_at + 1)
        await proxy.mend()
        mended_at = time.monotonic()
        await until(
            lambda: any(line["at"] > mended_at for line in engine.journal("started")),
            RESUME_SECONDS,
            "work resumes by itself",
        )
        print(f"resumed {time.monotonic() - mended_at:.2f} s after the database was back")
        await until(lambda: engine.journal("status")[-1]["ready"], RESUME_SECONDS, "ready again")
        print(f"ready {time.monotonic() - mended_at:.2f} s after the database was back")
        ledger = await ledger_when(url, lambda rows: rows.spent, 20, "all have ended")
    assert_decided_once_a_second(ledger, ids, first, last)
    assert_never_early(ledger)
    assert_counted(ledger)
    return engine


def assert_says_so(engine: Engine, since: float) -> None:
    """While the database is away the process says that it is not ready, and callers meet it."""
    said = [line for line in engine.journal("status") if line["at"] > since]
    assert said
    assert {(s["ready"], s["database"], s["error"]) for s in said} == {
        (False, "unavailable", "StoreUnavailable")
    }


async def test_an_engine_outlives_an_outage_longer_than_its_lease(
    postgres_url: str, start_engine: StartEngine
) -> None:
    engine = await survive_an_outage(postgres_url, start_engine, seconds=6, lease_seconds=3)
    assert "Traceback" not in engine.log


async def test_an_outage_shorter_than_the_lease_repeats_no_work(
    postgres_url: str, start_engine: StartEngine
) -> None:
    engine = await survive_an_outage(postgres_url, start_engine, seconds=4, lease_seconds=45)
    started = [line["run"] for line in engine.journal("started")]
    assert len(started) == len(set(started))
    assert "Traceback" not in engine.log


async def test_sigterm_while_the_database_is_away_lets_running_work_finish(
    postgres_url: str, start_engine: StartEngine
) -> None:
    async with Proxy(postgres_url) as proxy:
        engine = start_engine(proxy.url, grace_seconds=10)
        await engine.ready()
        instant = await coming_second(0)
        await fill(postgres_url, [Wanted("acme", at(instant), instant, {"seconds": 1.5})])
        await until(lambda: engine.runs(), 10, "the run has started")
        await proxy.cut()
        assert await engine.terminate(seconds=10) == 0
        assert engine.runs("ended") == engine.runs()


async def test_terminated_backends_lose_no_occurrence(
    postgres_url: str, start_engine: StartEngine
) -> None:
    engine = start_engine(postgres_url, lease_seconds=5, sweep_seconds=1)
    await engine.ready()
    ids, first, last = await every_second(postgres_url, 4, {"seconds": 0.05})
    await until(lambda: engine.runs(), 10, "the first instant is under way")
    for _ in range(12):
        await terminate_backends(postgres_url)
        await asyncio.sleep(0.25)
    ledger = await ledger_when(
        postgres_url, lambda rows: rows.spent, RESUME_SECONDS, "all have ended"
    )
    assert engine.alive
    assert_decided_once_a_second(ledger, ids, first, last)
    assert_counted(ledger)


async def terminate_backends(url: str) -> None:
    ours = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'tickwright'"
    )
    async with connected(url) as (connection, _):
        await connection.execute(ours)


async def test_runs_whose_claim_was_committed_unheard_are_executed_all_the_same(
    postgres_url: str, start_engine: StartEngine
) -> None:
    async with Proxy(postgres_url) as proxy:
        engine = start_engine(proxy.url, lease_seconds=45, sweep_seconds=1)
        await engine.ready()
        instant = await coming_second(1)
        await fill(postgres_url, [Wanted("acme", at(instant), instant, {}) for _ in range(20)])
        proxy.commits = "unanswered"
        await ledger_when(postgres_url, lambda rows: rows.runs, 10, "the commit was made")
        await asyncio.sleep(0.5)
        proxy.commits = "pass"
        assert proxy.counts["unanswered"] > 0
        assert engine.alive
        ledger = await ledger_when(
            postgres_url, lambda rows: rows.spent, RESUME_SECONDS, "all have ended"
        )
    assert {run.status for run in ledger.runs} == {"succeeded"}
    assert {run.attempt for run in ledger.runs} == {1}
    assert len(engine.journal("started")) == len(engine.runs()) == 20
    assert_counted(ledger)


async def test_a_worker_whose_database_hangs_stops_its_work_before_another_takes_it_over(
    postgres_url: str, start_engine: StartEngine
) -> None:
    async with Proxy(postgres_url) as proxy:
        settings = {"lease_seconds": 3, "sweep_seconds": 0.5}
        cut_off = start_engine(proxy.url, **settings)
        await cut_off.ready()
        instant = await coming_second(0)
        await fill(postgres_url, [Wanted("acme", at(instant), instant, {"seconds": 20})])
        await until(lambda: cut_off.runs(), 10, "the run has started")
        other = start_engine(postgres_url, **settings)
        await other.ready()
        proxy.stall()
        await until(lambda: other.runs(), 10, "the other takes over")
        stopped = cut_off.journal("cancelled")
        assert stopped, "it still works on what the other has taken over"
        assert stopped[0]["at"] < other.journal("started")[0]["at"]
        proxy.flow()
        ledger = await ledger_when(
            postgres_url, lambda rows: online(rows.workers) == 2, 10, "the first one comes back"
        )
    (run,) = ledger.runs
    assert (run.attempt, run.lost_count) == (2, 1)
    assert len(cut_off.journal("started")) == len(other.journal("started")) == 1


async def test_an_engine_that_starts_while_the_database_hangs_waits_for_it(
    postgres_url: str, start_engine: StartEngine
) -> None:
    async with Proxy(postgres_url) as proxy:
        proxy.stall()
        engine = start_engine(proxy.url)
        await until(lambda: "waiting for the database" in engine.log, 20, "it says so")
        assert engine.alive
        proxy.flow()
        took = await until(lambda: engine.journal("ready"), RESUME_SECONDS, "it is ready")
        print(f"ready {took:.2f} s after the database answered")


@pytest.fixture
async def service(postgres_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    async with Proxy(postgres_url) as proxy:
        environment = {"TICKWRIGHT_DATABASE_URL": proxy.url, "TICKWRIGHT_GRACE_SECONDS": "5"}
        app = f"{stuck_app.__name__}:scheduler"
        args = command_line("serve", "--port", "0", "--app", app)
        process = Process("service", args, tmp_path, environment, doomed=True)
        try:
            await process.says("answers at ")
            url = re.search(r"answers at (\S+);", process.log)
            assert url is not None
            async with httpx.AsyncClient(base_url=url[1], timeout=30) as client:
                yield Service(process, proxy, client)
        finally:
            proxy.flow()
            process.end()
            print(f"--- {process.name}, pid {process.pid} ---\n{process.log[-5000:]}")


@dataclass(frozen=True)
class Service:
    """A `tickwright serve` whose database is behind a proxy."""

    process: Process
    proxy: Proxy
    client: httpx.AsyncClient

    @property
    def executed(self) -> int:
        return self.process.log.count(stuck_app.HELD_UP)

    async def ready(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while True:
                if (await self.client.get("/ready")).status_code == 200:
                    return
                await asyncio.sleep(0.1)

    async def timed(self, method: str, path: str, **given: Any) -> tuple[httpx.Response, float]:
        began = time.monotonic()
        answer = await self.client.request(method, path, **given)
        return answer, time.monotonic() - began


async def test_a_service_whose_database_hangs_says_so_and_goes_on_by_itself(
    postgres_url: str, service: Service
) -> None:
    await service.ready(20)
    instant = await coming_second(0)
    trigger = every(SECOND, anchor=instant)
    await fill(postgres_url, [Wanted("acme", trigger, instant, {"hold_up": 0})])
    await until(lambda: service.executed >= 2, 10, "work is under way")

    service.proxy.stall()
    rule = {"type": "interval", "every": "1h"}
    refused = [
        asyncio.create_task(service.timed("GET", "/schedules")),
        asyncio.create_task(
            service.timed("POST", "/schedules", json={"jobKey": "x", "trigger": rule})
        ),
        asyncio.create_task(service.timed("GET", "/api/jobs")),
    ]
    while not all(task.done() for task in refused):
        (live, soon), (ready, later) = await asyncio.gather(
            service.timed("GET", "/live"), service.timed("GET", "/ready")
        )
        assert (live.status_code, ready.status_code) == (200, 503)
        assert soon < 1
        assert later < LONGEST_PROBE_SECONDS
        await asyncio.sleep(0.5)
    for task in refused:
        answer, took = task.result()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert took < LONGEST_REQUEST_SECONDS

    before = service.executed
    service.proxy.flow()
    resumed = await until(lambda: service.executed > before, RESUME_SECONDS, "work resumes")
    await service.ready(RESUME_SECONDS - resumed)
    assert (await service.client.get("/schedules")).status_code == 200
    assert service.process.alive


def online(workers: list[Any]) -> int:
    return sum(worker.status == "online" for worker in workers)
