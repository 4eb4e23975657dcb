"""`POST /runs` and `POST /runs/{id}/retry`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .support import ON_SQLITE, UNKNOWN_ID, create, paths_of, problem_of


async def start(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/runs", json={"jobKey": "report", **body})
    assert answer.status_code == 202, answer.text
    run: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/runs/{run['id']}"
    return run


async def test_a_job_runs_without_a_schedule(client: httpx.AsyncClient) -> None:
    run = await start(client, payload={"a": 1})
    assert (run["scheduleId"], run["jobKey"], run["cause"]) == (None, "report", "manual")
    assert run["target"] == {"type": "handler", "name": "report"}
    assert (await client.get(f"/runs/{run['id']}")).json()["payload"] == {"a": 1}


async def test_the_same_request_is_the_same_run(client: httpx.AsyncClient) -> None:
    first = await start(client, requestId="r")
    assert (await start(client, requestId="r"))["id"] == first["id"]
    headers = {"Idempotency-Key": "r"}
    again = await client.post("/runs", json={"jobKey": "report"}, headers=headers)
    assert again.json()["id"] == first["id"]
    other = await client.post("/runs", json={"jobKey": "other", "requestId": "r"})
    problem_of(other, 409, "conflict")


async def test_an_ended_run_is_done_again(client: httpx.AsyncClient) -> None:
    run = await start(client, payload={"a": 1})
    problem_of(await client.post(f"/runs/{run['id']}/retry"), 422, "not_possible")
    await client.post(f"/runs/{run['id']}/cancel")

    answer = await client.post(f"/runs/{run['id']}/retry")

    assert answer.status_code == 202
    again = answer.json()
    assert (again["replayOf"], again["cause"], again["status"]) == (run["id"], "replay", "queued")
    assert (again["payload"], again["nominalAt"]) == ({"a": 1}, run["nominalAt"])
    other = await client.post(f"/runs/{run['id']}/retry", json={"payload": {"b": 2}})
    assert other.json()["payload"] == {"b": 2}


async def test_a_replay_overlaps_as_its_schedule_has_it(client: httpx.AsyncClient) -> None:
    await create(client)
    run = (await client.post("/schedules/nightly/trigger")).json()
    await client.post(f"/runs/{run['id']}/cancel")
    assert (await client.post(f"/runs/{run['id']}/retry")).status_code == 202
    problem_of(await client.post(f"/runs/{run['id']}/retry"), 409, "conflict")


async def test_what_is_not_there_cannot_be_done_again(client: httpx.AsyncClient) -> None:
    problem_of(await client.post(f"/runs/{UNKNOWN_ID}/retry"), 404, "not_found")


@ON_SQLITE
@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "jobKey"),
        ({"jobKey": "a/b"}, "jobKey"),
        ({"jobKey": "report", "payload": 3}, "payload"),
        ({"jobKey": "report", "target": {"type": "nothing"}}, "target.type"),
        ({"jobKey": "report", "requestId": ""}, "requestId"),
    ],
)
async def test_what_is_wrong_is_named(
    client: httpx.AsyncClient, body: dict[str, Any], path: str
) -> None:
    answer = await client.post("/runs", json=body)
    assert paths_of(problem_of(answer, 422, "invalid_input")) == [path]
