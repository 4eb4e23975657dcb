"""Cancelling and retrying all runs that some filters match."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.targets.support import Service
from tickwright.bootstrap import Scheduler
from tickwright.model.job import Policy

from .support import ACME, EMAIL, ON_SQLITE, UNKNOWN_ID, Engine, create, paths_of, problem_of


async def queued(client: httpx.AsyncClient, count: int, **changes: Any) -> list[str]:
    """So many queued runs of a new schedule, the oldest first."""
    made = await create(client, overlap="allow", **changes)
    path = f"/schedules/{made['key']}/trigger"
    return [(await client.post(path)).json()["id"] for _ in range(count)]


async def dead(
    client: httpx.AsyncClient, engine: Engine, service: Service, scheduler: Scheduler
) -> list[str]:
    await scheduler.define_job(ACME, "report", Policy(max_attempts=1))
    service.says({"success": False, "error": "smtp is down"})
    runs = await queued(client, 3, target=EMAIL)
    await engine.round()
    return runs


async def statuses(client: httpx.AsyncClient) -> dict[str, str]:
    return {run["id"]: run["status"] for run in (await client.get("/runs")).json()["data"]}


async def test_what_matches_is_cancelled_and_nothing_else(client: httpx.AsyncClient) -> None:
    first = await queued(client, 3)
    other = await queued(client, 1, key="other", jobKey="mail")

    answer = await client.post("/runs/cancel", json={"jobKey": "report", "status": ["queued"]})

    assert answer.status_code == 200
    assert answer.json() == {"matched": 3, "done": 3, "refused": []}
    expected = dict.fromkeys(first, "cancelled") | dict.fromkeys(other, "queued")
    assert await statuses(client) == expected
    again = await client.post("/runs/cancel", json={"jobKey": "report"})
    assert again.json()["matched"] == 0


async def test_a_dry_run_only_counts(client: httpx.AsyncClient) -> None:
    runs = await queued(client, 3)

    answer = await client.post("/runs/cancel", json={"scheduleId": "nightly", "dryRun": True})

    assert answer.json() == {"matched": 3, "done": 0, "refused": []}
    assert await statuses(client) == dict.fromkeys(runs, "queued")


async def test_the_oldest_come_first_when_not_all_may(client: httpx.AsyncClient) -> None:
    runs = await queued(client, 3)

    answer = await client.post("/runs/cancel", json={"queue": "default", "limit": 2})

    assert answer.json()["matched"] == 2
    read = await statuses(client)
    assert [read[run] for run in runs] == ["cancelled", "cancelled", "queued"]


async def test_dead_runs_are_done_again_once_for_one_request(
    client: httpx.AsyncClient, engine: Engine, service: Service, scheduler: Scheduler
) -> None:
    runs = await dead(client, engine, service, scheduler)
    body = {"status": ["dead"], "requestId": "monday"}

    first = (await client.post("/runs/retry", json=body)).json()
    key = {"Idempotency-Key": "monday"}
    again = (await client.post("/runs/retry", json={"jobKey": "report"}, headers=key)).json()

    assert first == again == {"matched": 3, "done": 3, "refused": []}
    made = (await client.get("/runs", params={"cause": "replay"})).json()["data"]
    assert sorted(run["replayOf"] for run in made) == sorted(runs)
    assert {run["triggeredBy"] for run in made} == {"api"}


async def test_what_is_refused_is_told_with_its_reason(
    client: httpx.AsyncClient, engine: Engine, service: Service, scheduler: Scheduler
) -> None:
    runs = await dead(client, engine, service, scheduler)
    await client.patch("/schedules/nightly", json={"overlap": "skip"})

    answer = (await client.post("/runs/retry", json={"scheduleId": "nightly"})).json()

    assert (answer["matched"], answer["done"]) == (3, 1)
    reason = "an earlier run of this schedule is still open"
    assert answer["refused"] == [{"id": run, "reason": reason} for run in sorted(runs)[1:]]


@ON_SQLITE
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("cancel", {}, "body"),
        ("retry", {"limit": 5, "dryRun": True}, "body"),
        ("cancel", {"status": ["dead"]}, "status"),
        ("retry", {"status": ["dead", "queued"]}, "status"),
        ("cancel", {"jobKey": "report", "limit": 10_001}, "limit"),
        ("cancel", {"jobKey": "report", "limit": 0}, "limit"),
        ("cancel", {"workerId": "me"}, "workerId"),
        ("cancel", {"jobKey": "report", "requestId": "x"}, "requestId"),
        ("retry", {"jobKey": "report", "requestId": "x" * 201}, "requestId"),
        ("retry", {"from": "yesterday"}, "from"),
        ("retry", {"cause": "boredom"}, "cause"),
    ],
)
async def test_a_bad_request_is_refused_by_name(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], field: str
) -> None:
    problem = problem_of(await client.post(f"/runs/{path}", json=body), 422, "invalid_input")

    assert paths_of(problem) == [field]


async def test_filters_may_name_what_is_not_there(client: httpx.AsyncClient) -> None:
    unknown = await client.post("/runs/cancel", json={"scheduleId": "unknown"})
    problem_of(unknown, 404, "not_found")
    gone = await client.post(
        "/runs/cancel", json={"scheduleId": UNKNOWN_ID, "workerId": UNKNOWN_ID}
    )
    assert gone.json()["matched"] == 0


async def test_a_list_is_followed_by_its_cursor(client: httpx.AsyncClient) -> None:
    runs = await queued(client, 3)
    first = (await client.get("/runs", params={"pageSize": 2})).json()
    await client.post("/schedules/nightly/trigger")

    after = {"pageSize": 2, "cursor": first["nextCursor"]}
    second = (await client.get("/runs", params=after)).json()

    assert [run["id"] for run in first["data"] + second["data"]] == runs[::-1]
    assert second["nextCursor"] is None
    assert second["pagination"] == {
        "page": None,
        "pageSize": 2,
        "total": None,
        "totalPages": None,
        "totalIsExact": False,
    }


async def test_a_list_is_sorted_as_asked(client: httpx.AsyncClient) -> None:
    runs = await queued(client, 3)

    async def found(**query: str) -> list[str]:
        return [run["id"] for run in (await client.get("/runs", params=query)).json()["data"]]

    assert await found(sort="createdAt") == runs
    assert await found(sort="runAt", status="queued") == runs
    assert await found(sort="-finishedAt", scheduleId="nightly") == runs[::-1]
    problem = problem_of(await client.get("/runs?sort=runAt"), 422, "invalid_input")
    assert paths_of(problem) == ["sort"]
    problem = problem_of(await client.get("/runs?cursor=x"), 422, "invalid_input")
    assert paths_of(problem) == ["cursor"]
