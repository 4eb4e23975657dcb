"""Runs: everything that happened or did not, found by filters, with attempts; and cancelling."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.targets.support import Service
from tickwright.testing import FakeClock

from .support import EMAIL, ON_SQLITE, UNKNOWN_ID, Engine, create, paths_of, problem_of

MINUTELY = {"type": "interval", "every": "1m"}


async def runs(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get("/runs", params=query)
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


async def test_a_fired_run_tells_everything_about_itself(
    client: httpx.AsyncClient, engine: Engine, service: Service, clock: FakeClock
) -> None:
    schedule = await create(client, trigger=MINUTELY, target=EMAIL, payload={"size": 3})
    service.says({"success": True, "itemsProcessed": 2, "itemsSucceeded": 1, "itemsFailed": 1})
    clock.advance(timedelta(minutes=1))
    await engine.round()

    [listed] = await runs(client)
    read = (await client.get(f"/runs/{listed['id']}")).json()

    assert read == listed | {"attempts": [], "progress": None}
    assert (read["scheduleId"], read["scheduleKey"]) == (schedule["id"], "nightly")
    assert (read["jobKey"], read["cause"], read["status"]) == ("report", "schedule", "succeeded")
    assert read["nominalAt"] == read["runAt"] == "2040-01-02T09:01:00Z"
    assert read["startedAt"] == read["finishedAt"] == "2040-01-02T09:01:00Z"
    assert (read["durationMs"], read["attempt"], read["count"]) == (0, 1, 1)
    assert read["items"] == {"processed": 2, "succeeded": 1, "failed": 1}
    assert (read["target"], read["payload"]) == (EMAIL, {"size": 3})
    assert read["result"]["success"] is True
    assert (read["queue"], read["priority"]) == ("default", 5)
    assert read["scope"]["tenantId"] == "acme"
    nothing = ("reason", "error", "triggeredBy", "requestId", "cancelRequestedAt", "throughAt")
    assert [read[name] for name in nothing] == [None] * 6


async def test_what_did_not_happen_is_listed_too(
    client: httpx.AsyncClient, engine: Engine, clock: FakeClock
) -> None:
    await create(client, trigger=MINUTELY, misfire="skip")
    clock.advance(timedelta(hours=1))
    await engine.round()

    [missed] = await runs(client, status="missed")

    assert missed["nominalAt"] == "2040-01-02T09:01:00Z"
    assert missed["count"] > 50
    assert missed["throughAt"] is not None


async def test_earlier_attempts_are_kept(
    client: httpx.AsyncClient, engine: Engine, service: Service, clock: FakeClock
) -> None:
    await create(client, target=EMAIL)
    service.says({"success": False, "error": "smtp is down"})
    run = (await client.post("/schedules/nightly/trigger")).json()
    await engine.round()
    service.says({"success": True})
    clock.advance(timedelta(minutes=1))
    await engine.round()

    read = (await client.get(f"/runs/{run['id']}")).json()

    assert (read["status"], read["attempt"], read["error"]) == ("succeeded", 2, None)
    [attempt] = read["attempts"]
    assert (attempt["attempt"], attempt["outcome"], attempt["error"]) == (
        1,
        "failed",
        "smtp is down",
    )


async def test_filters_narrow_the_list(
    client: httpx.AsyncClient, engine: Engine, clock: FakeClock
) -> None:
    first = await create(client, key="first", jobKey="mail", target=EMAIL)
    await create(client, key="second")
    one = (await client.post("/schedules/first/trigger")).json()
    await engine.round()
    clock.advance(timedelta(hours=1))
    two = (await client.post("/schedules/second/trigger")).json()
    worker = (await client.get("/workers")).json()["data"][0]["id"]

    async def found(**query: Any) -> list[str]:
        return [run["id"] for run in await runs(client, **query)]

    assert await found() == [two["id"], one["id"]]
    assert await found(scheduleId=first["id"]) == [one["id"]]
    assert await found(scheduleId="first") == [one["id"]]
    assert await found(scheduleId="no-such-key") == []
    assert await found(scheduleId=UNKNOWN_ID) == []
    assert await found(jobKey="mail") == [one["id"]]
    assert await found(status="queued") == [two["id"]]
    assert await found(status=["queued", "succeeded"]) == [two["id"], one["id"]]
    assert await found(workerId=worker) == [one["id"]]
    assert await found(workerId=UNKNOWN_ID) == []
    assert await found(**{"from": "2040-01-02T09:30:00Z"}) == [two["id"]]
    assert await found(to="2040-01-02T10:30:00+01:00") == [one["id"]]


async def test_runs_of_a_deleted_schedule_are_found_by_its_id(client: httpx.AsyncClient) -> None:
    schedule = await create(client)
    await client.post("/schedules/nightly/trigger")
    await client.delete("/schedules/nightly")

    [run] = await runs(client, scheduleId=schedule["id"])

    assert (run["status"], run["reason"]) == ("cancelled", "schedule delete")


async def test_pages_hold_everything_exactly_once(client: httpx.AsyncClient) -> None:
    await create(client, overlap="allow")
    made = [(await client.post("/schedules/nightly/trigger")).json()["id"] for _ in range(5)]

    pages = [
        (await client.get("/runs", params={"page": page, "pageSize": 2})).json()
        for page in (1, 2, 3)
    ]

    assert [run["id"] for page in pages for run in page["data"]] == made[::-1]
    assert pages[0]["pagination"] == {
        "page": 1,
        "pageSize": 2,
        "total": 5,
        "totalPages": 3,
        "totalIsExact": True,
    }


@ON_SQLITE
@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("status=asleep", "status.0"),
        ("status=queued&status=x", "status.1"),
        ("workerId=me", "workerId"),
        ("from=yesterday", "from"),
        ("to=2040-01-01T00:00:00", "to"),
        ("scheduleId=", "scheduleId"),
        ("pageSize=1000", "pageSize"),
        ("since=2040-01-01T00:00:00Z", "since"),
    ],
)
async def test_a_bad_query_is_refused_by_name(
    client: httpx.AsyncClient, query: str, path: str
) -> None:
    problem = problem_of(await client.get(f"/runs?{query}"), 422, "invalid_input")

    assert paths_of(problem) == [path]


async def test_a_queued_run_is_cancelled_at_once_and_stays_so(client: httpx.AsyncClient) -> None:
    await create(client)
    run = (await client.post("/schedules/nightly/trigger")).json()

    first = await client.post(f"/runs/{run['id']}/cancel")
    again = await client.post(f"/runs/{run['id']}/cancel")

    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    assert again.json() == first.json()


async def test_a_running_run_is_asked_to_stop_and_does(
    live: httpx.AsyncClient, service: Service
) -> None:
    service.hangs = True
    await create(live, target=EMAIL)
    run = (await live.post("/schedules/nightly/trigger")).json()
    await service.arrived.wait()

    asked = (await live.post(f"/runs/{run['id']}/cancel")).json()

    assert (asked["status"], asked["cancelRequestedAt"]) == ("running", "2040-01-02T09:00:00Z")
    while (read := (await live.get(f"/runs/{run['id']}")).json())["status"] == "running":
        pass
    assert read["status"] == "cancelled"


async def test_a_run_that_is_over_cannot_be_cancelled(
    client: httpx.AsyncClient, engine: Engine
) -> None:
    await create(client, target=EMAIL)
    run = (await client.post("/schedules/nightly/trigger")).json()
    await engine.round()

    problem_of(await client.post(f"/runs/{run['id']}/cancel"), 422, "not_possible")
    assert (await client.get(f"/runs/{run['id']}")).json()["status"] == "succeeded"


async def test_an_unknown_run_is_not_found(client: httpx.AsyncClient) -> None:
    problem_of(await client.get(f"/runs/{UNKNOWN_ID}"), 404, "not_found")
    problem_of(await client.post(f"/runs/{UNKNOWN_ID}/cancel"), 404, "not_found")
    malformed = await client.get("/runs/7")
    assert paths_of(problem_of(malformed, 422, "invalid_input")) == ["runId"]
