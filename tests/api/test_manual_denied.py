"""Schedules that run by their rule only, on every surface that could start them by hand."""

from __future__ import annotations

from datetime import timedelta

import httpx

from tests.targets.support import Service
from tickwright.bootstrap import Scheduler
from tickwright.testing import FakeClock

from .support import ACME, EMAIL, Engine, create, problem_of, register

MINUTELY = {"type": "interval", "every": "1m"}


async def test_a_start_by_hand_is_refused_with_the_reason(client: httpx.AsyncClient) -> None:
    made = await create(client, allowManual=False)

    answer = await client.post("/schedules/nightly/trigger", json={"force": True})

    assert made["allowManual"] is False
    problem = problem_of(answer, 409, "manual_denied")
    assert problem["detail"] == "the schedule nightly does not allow starts by hand"
    assert (await client.get("/runs")).json()["data"] == []


async def test_it_can_be_allowed_and_denied_again(client: httpx.AsyncClient) -> None:
    made = await create(client)
    denied = (await client.patch("/schedules/nightly", json={"allowManual": False})).json()
    problem_of(await client.post("/schedules/nightly/trigger"), 409, "manual_denied")
    await client.patch("/schedules/nightly", json={"allowManual": True})

    assert (made["allowManual"], denied["allowManual"]) == (True, False)
    assert denied["override"]["policy"]["allowManual"] is False
    assert (await client.post("/schedules/nightly/trigger")).status_code == 202
    [last, first, _] = (await client.get("/changes")).json()["data"]
    assert (first["before"]["allowManual"], first["after"]["allowManual"]) == (True, False)
    assert last["after"]["allowManual"] is True


async def test_its_rule_still_runs_it_and_its_runs_can_be_repeated(
    client: httpx.AsyncClient, engine: Engine, service: Service, clock: FakeClock
) -> None:
    await create(client, trigger=MINUTELY, target=EMAIL, allowManual=False)
    clock.advance(timedelta(minutes=1))
    await engine.round()
    [run] = (await client.get("/runs")).json()["data"]

    again = await client.post(f"/runs/{run['id']}/retry")

    assert run["status"] == "succeeded"
    assert (again.status_code, again.json()["replayOf"]) == (202, run["id"])


async def test_a_service_job_is_refused_too(
    client: httpx.AsyncClient, scheduler: Scheduler, service: Service
) -> None:
    await register(client)
    await scheduler.update_schedule(ACME, "weekly-digest", allow_manual=False)
    await register(client)

    answer = await client.post("/api/jobs/weekly-digest/trigger")

    assert answer.status_code == 409
    assert answer.json()["message"] == "the schedule weekly-digest does not allow starts by hand"


async def test_a_request_that_was_answered_before_is_answered_again(
    client: httpx.AsyncClient,
) -> None:
    await create(client)
    click = {"requestId": "click-1"}
    first = (await client.post("/schedules/nightly/trigger", json=click)).json()
    await client.patch("/schedules/nightly", json={"allowManual": False})

    again = await client.post("/schedules/nightly/trigger", json=click)

    assert (again.status_code, again.json()["id"]) == (202, first["id"])


async def test_the_history_of_a_service_job_holds_repeated_runs(
    client: httpx.AsyncClient, engine: Engine, service: Service, clock: FakeClock
) -> None:
    await register(client, cronExpression="* * * * *")
    clock.advance(timedelta(minutes=1))
    await engine.round()
    [run] = (await client.get("/runs")).json()["data"]
    await client.post(f"/runs/{run['id']}/retry")
    await engine.round()

    read = (await client.get("/api/jobs/weekly-digest/history")).json()

    assert {each["triggered_by"] for each in read["executions"]} == {"scheduler", "manual"}
