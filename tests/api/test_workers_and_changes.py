"""Workers as their heartbeats tell, and the trail of changes."""

from __future__ import annotations

import httpx
import pytest

from tests.targets.support import Service

from .support import ON_SQLITE, UNKNOWN_ID, Engine, create, paths_of, problem_of


async def test_workers_are_listed(client: httpx.AsyncClient, engine: Engine) -> None:
    answer = (await client.get("/workers")).json()

    [worker] = answer["data"]
    assert (worker["status"], worker["slots"], worker["queues"]) == ("online", 100, ["default"])
    assert (worker["running"], worker["handlers"]) == (0, [])
    assert worker["heartbeatAt"] == worker["startedAt"] == "2040-01-02T09:00:00Z"
    assert worker["leaseUntil"] == "2040-01-02T09:00:45Z"
    assert answer["pagination"] == {"page": 1, "pageSize": 20, "total": 1, "totalPages": 1}


async def test_workers_are_filtered_and_paged(client: httpx.AsyncClient, engine: Engine) -> None:
    assert (await client.get("/workers?status=offline")).json()["data"] == []
    page = (await client.get("/workers?status=online&page=2&pageSize=1")).json()
    assert page["pagination"] == {"page": 2, "pageSize": 1, "total": 1, "totalPages": 1}
    assert page["data"] == []


async def test_every_change_leaves_a_trace(client: httpx.AsyncClient) -> None:
    schedule = await create(client, name="Old")
    await create(client, key="another")
    await client.patch("/schedules/nightly", json={"name": "New"})
    await client.post("/schedules/nightly/pause", json={"reason": "holidays"})

    answer = (await client.get("/changes?schedule=nightly")).json()

    paused, renamed, created = answer["data"]
    assert [each["action"] for each in answer["data"]] == ["pause", "update", "create"]
    assert paused["reason"] == "holidays"
    assert (renamed["before"]["name"], renamed["after"]["name"]) == ("Old", "New")
    assert (created["before"], created["actor"], created["version"]) == (None, "api", 1)
    assert created["resourceId"] == schedule["id"]
    assert (created["resource"], created["resourceKey"]) == ("schedule", "nightly")
    assert answer["pagination"]["total"] == 3
    assert (await client.get("/changes?pageSize=1")).json()["pagination"] == {
        "page": 1,
        "pageSize": 1,
        "total": 4,
        "totalPages": 4,
    }


async def test_changes_of_an_unknown_schedule_are_not_found(client: httpx.AsyncClient) -> None:
    problem_of(await client.get(f"/changes?schedule={UNKNOWN_ID}"), 404, "not_found")


@ON_SQLITE
@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/workers?status=asleep", "status"),
        ("/workers?page=0", "page"),
        ("/changes?schedule=", "schedule"),
        ("/changes?pageSize=101", "pageSize"),
        ("/changes?actor=ada", "actor"),
    ],
)
async def test_a_bad_query_is_refused_by_name(
    client: httpx.AsyncClient, url: str, path: str
) -> None:
    assert paths_of(problem_of(await client.get(url), 422, "invalid_input")) == [path]


async def test_a_running_service_shows_itself(live: httpx.AsyncClient, service: Service) -> None:
    while not (workers := (await live.get("/workers?status=online")).json()["data"]):
        pass

    assert len(workers) == 1
