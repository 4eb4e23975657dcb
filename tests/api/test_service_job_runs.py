"""Triggering service jobs and what their history and statistics tell of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import perf_counter
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.targets.support import Service
from tickwright.api import create_app
from tickwright.bootstrap import Scheduler
from tickwright.model.job import Policy
from tickwright.testing import FakeClock

from .support import ACME, CRON, EMAIL, ON_SQLITE, Engine, client_of, create, register

DONE = {
    "success": True,
    "itemsProcessed": 10,
    "itemsSucceeded": 9,
    "itemsFailed": 1,
    "metadata": {"batch": 7},
}
FAILED = {"success": False, "itemsProcessed": 3, "itemsFailed": 3, "error": "smtp is down"}


async def history(client: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await client.get(f"/api/jobs/weekly-digest/history{query}")
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


async def stats(client: httpx.AsyncClient, days: int = 30) -> dict[str, Any]:
    answer = await client.get(f"/api/jobs/weekly-digest/stats?days={days}")
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


async def test_triggering_waits_for_the_result(live: httpx.AsyncClient, service: Service) -> None:
    await register(live)
    service.says(DONE)

    answer = await live.post("/api/jobs/weekly-digest/trigger", json={"userId": "ada"})

    assert answer.status_code == 200
    assert answer.json() == {
        "message": "Job weekly-digest was triggered",
        "result": DONE | {"error": None},
    }
    assert service.received[0].body["triggeredByUser"] == "ada"
    assert service.received[0].body["triggeredBy"] == "manual"
    read = (await live.get("/api/jobs/weekly-digest")).json()
    assert (read["totalRuns"], read["successfulRuns"], read["failedRuns"]) == (1, 1, 0)
    assert read["lastRunStatus"] == "completed"
    assert read["lastRunAt"] == "2040-01-02T09:00:00Z"
    assert read["lastRunDuration"] == 0


async def test_a_service_that_reports_failure_has_failed(
    live: httpx.AsyncClient, service: Service, scheduler: Scheduler
) -> None:
    await register(live)
    await scheduler.define_job(ACME, "weekly-digest", Policy(max_attempts=1))
    service.says(FAILED)

    answer = await live.post("/api/jobs/weekly-digest/trigger")

    assert answer.status_code == 200
    result = answer.json()["result"]
    assert (result["success"], result["error"]) == (False, "smtp is down")
    assert (result["itemsProcessed"], result["itemsFailed"]) == (3, 3)
    read = (await live.get("/api/jobs/weekly-digest")).json()
    assert (read["lastRunStatus"], read["failedRuns"], read["enabled"]) == ("failed", 1, True)
    [execution] = (await history(live))["executions"]
    assert (execution["status"], execution["error_message"]) == ("failed", "smtp is down")


async def test_a_disabled_job_can_be_triggered(live: httpx.AsyncClient, service: Service) -> None:
    await register(live, enabled=False)

    answer = await live.post("/api/jobs/weekly-digest/trigger")

    assert (answer.status_code, answer.json()["result"]["success"]) == (200, True)


async def test_a_second_trigger_meanwhile_is_refused(
    live: httpx.AsyncClient, service: Service
) -> None:
    await register(live)
    service.hangs = True
    first = asyncio.create_task(live.post("/api/jobs/weekly-digest/trigger"))
    await service.arrived.wait()

    second = await live.post("/api/jobs/weekly-digest/trigger")
    active = (await live.get("/api/jobs/weekly-digest")).json()["activeRuns"]
    service.ended.set()

    assert (second.status_code, second.json()["error"]) == (409, "Conflict")
    assert active == 1
    assert (await first).status_code == 200
    assert len(service.received) == 1


async def test_a_long_run_goes_on_after_the_answer(scheduler: Scheduler, service: Service) -> None:
    app = create_app(scheduler, default_scope=ACME, version="1")
    app.state.trigger_wait = timedelta(0)
    service.hangs = True
    async with app.router.lifespan_context(app), client_of(app) as client:
        await register(client)
        begun = perf_counter()
        answer = await client.post("/api/jobs/weekly-digest/trigger")
        waited = perf_counter() - begun
        await service.arrived.wait()
        [running] = await executions_when(client, "running")
        service.ended.set()
        [completed] = await executions_when(client, "completed")

    assert (answer.status_code, waited < 2) == (202, True)
    assert answer.json() == {
        "message": "Job weekly-digest is still running",
        "executionId": running["id"],
    }
    assert (running["completed_at"], running["duration_ms"]) == (None, None)
    assert completed["id"] == running["id"]


async def executions_when(client: httpx.AsyncClient, status: str) -> list[dict[str, Any]]:
    while True:
        found: list[dict[str, Any]] = (await history(client))["executions"]
        if found and {each["status"] for each in found} == {status}:
            return found


@ON_SQLITE
async def test_waiting_ends_with_the_jobs_own_timeout(
    client: httpx.AsyncClient, scheduler: Scheduler
) -> None:
    await register(client)
    await scheduler.define_job(ACME, "weekly-digest", Policy(timeout=timedelta(milliseconds=1)))
    begun = perf_counter()

    answer = await client.post("/api/jobs/weekly-digest/trigger")

    assert answer.status_code == 202
    assert perf_counter() - begun < 2


@ON_SQLITE
@pytest.mark.parametrize("body", [{"userId": 7}, {"userId": ""}, {"user": "ada"}, [], "x"])
async def test_a_bad_trigger_starts_nothing(client: httpx.AsyncClient, body: object) -> None:
    await register(client)

    answer = await client.post("/api/jobs/weekly-digest/trigger", json=body)

    assert (answer.status_code, set(answer.json())) == (400, {"error", "message"})
    assert (await client.get("/runs")).json()["pagination"]["total"] == 0


async def test_the_history_has_rows_of_every_kind_and_no_others(
    client: httpx.AsyncClient,
    engine: Engine,
    service: Service,
    clock: FakeClock,
    scheduler: Scheduler,
) -> None:
    await register(client, cronExpression="* * * * *")
    await scheduler.define_job(ACME, "weekly-digest", Policy(max_attempts=1))
    service.says(DONE)
    clock.advance(timedelta(minutes=1))
    await engine.round()
    service.says(FAILED)
    clock.advance(timedelta(minutes=1))
    await engine.round()
    await client.post("/api/jobs/weekly-digest/disable")
    cancelled = (await trigger_queued(client)).json()
    await client.post(f"/runs/{cancelled['id']}/cancel")
    await trigger_queued(client)

    read = await history(client)

    assert [each["status"] for each in read["executions"]] == ["failed", "failed", "completed"]
    by_hand, failed, completed = read["executions"]
    assert completed == {
        "id": completed["id"],
        "job_name": "weekly-digest",
        "job_type": "email",
        "status": "completed",
        "started_at": "2040-01-02T09:01:00Z",
        "completed_at": "2040-01-02T09:01:00Z",
        "duration_ms": 0,
        "items_processed": 10,
        "items_succeeded": 9,
        "items_failed": 1,
        "error_message": None,
        "metadata": {"batch": 7},
        "triggered_by": "scheduler",
        "triggered_by_user": None,
    }
    assert (failed["error_message"], failed["triggered_by"]) == ("smtp is down", "scheduler")
    assert (by_hand["error_message"], by_hand["triggered_by"]) == ("cancelled", "manual")
    assert by_hand["triggered_by_user"] == "api"
    assert read["pagination"] == {"limit": 20, "offset": 0, "total": 3, "hasMore": False}


async def trigger_queued(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/schedules/weekly-digest/trigger", json={"force": True})


async def test_history_pages_are_complete_with_many_other_runs_present(
    client: httpx.AsyncClient, engine: Engine, service: Service
) -> None:
    await register(client)
    await create(client, key="noise", target=EMAIL, trigger=CRON, overlap="allow")
    mine = []
    for _ in range(7):
        mine.append((await client.post("/schedules/weekly-digest/trigger")).json()["id"])
        for _ in range(5):
            await client.post("/schedules/noise/trigger")
        await engine.round()

    pages = [await history(client, f"?limit=3&offset={offset}") for offset in (0, 3, 6, 9)]

    assert [row["id"] for page in pages for row in page["executions"]] == mine[::-1]
    assert [page["pagination"]["total"] for page in pages] == [7] * 4
    assert [page["pagination"]["hasMore"] for page in pages] == [True, True, False, False]


async def test_statistics_reach_back_a_year_and_know_only_this_job(
    client: httpx.AsyncClient, engine: Engine, service: Service, clock: FakeClock
) -> None:
    await register(client)
    await create(client, key="noise", target=EMAIL, trigger=CRON)
    for says, days in ((DONE, 335), (DONE, 29), (FAILED | {"success": True}, 0)):
        service.says(says)
        for key in ("weekly-digest", "noise"):
            await client.post(f"/schedules/{key}/trigger")
        await engine.round()
        clock.advance(timedelta(days=days))

    month, year, today = [await stats(client, days) for days in (30, 365, 1)]

    assert year == {
        "stats": {
            "total_executions": 3,
            "successful_executions": 3,
            "failed_executions": 0,
            "avg_duration_ms": 0,
            "total_items_processed": 23,
        },
        "period": {"days": 365, "from": "2040-01-02T00:00:00Z", "to": "2040-12-31T23:59:59Z"},
    }
    assert month["stats"]["total_executions"] == 2
    assert today["stats"]["total_items_processed"] == 3
    assert today["period"]["from"] == "2040-12-31T00:00:00Z"


async def test_a_job_that_never_ran_has_statistics_too(client: httpx.AsyncClient) -> None:
    await register(client)

    assert (await stats(client))["stats"] == {
        "total_executions": 0,
        "successful_executions": 0,
        "failed_executions": 0,
        "avg_duration_ms": None,
        "total_items_processed": 0,
    }


@ON_SQLITE
@pytest.mark.parametrize(
    "query",
    [
        "history?limit=0",
        "history?limit=101",
        "history?limit=x",
        "history?offset=-1",
        "history?offset=99999999999999999999",
        "history?page=2",
        "stats?days=0",
        "stats?days=366",
        "stats?days=1.5",
        "stats?from=2040-01-01",
    ],
)
async def test_a_bad_query_is_refused(client: httpx.AsyncClient, query: str) -> None:
    await register(client)

    answer = await client.get(f"/api/jobs/weekly-digest/{query}")

    name = query.partition("?")[2].partition("=")[0]
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")
    assert answer.json()["message"].startswith(f"{name}: ")


async def test_the_runs_of_a_deleted_job_stay(
    client: httpx.AsyncClient, engine: Engine, app: FastAPI
) -> None:
    await register(client)
    run = (await client.post("/schedules/weekly-digest/trigger")).json()
    await engine.round()
    await client.delete("/api/jobs/weekly-digest")

    assert (await client.get(f"/runs/{run['id']}")).json()["status"] == "succeeded"
