"""Running a schedule's job by hand: at once, once per click, beside its own times."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.targets.support import Service

from .support import EMAIL, ON_SQLITE, Engine, create, paths_of, problem_of


async def test_the_run_is_accepted_and_can_be_followed(
    client: httpx.AsyncClient, engine: Engine, service: Service
) -> None:
    before = await create(client, target=EMAIL, payload={"size": 3})
    service.says({"success": True, "itemsProcessed": 5, "itemsSucceeded": 5, "itemsFailed": 0})

    accepted = await client.post("/schedules/nightly/trigger")
    await engine.round()
    run = (await client.get(accepted.headers["location"])).json()

    assert accepted.status_code == 202
    assert (accepted.json()["status"], accepted.json()["cause"]) == ("queued", "manual")
    assert accepted.headers["location"] == f"/runs/{accepted.json()['id']}"
    assert (run["status"], run["triggeredBy"], run["items"]["succeeded"]) == ("succeeded", "api", 5)
    assert service.received[0].body["config"] == {"size": 3}
    after = (await client.get("/schedules/nightly")).json()
    assert (after["runCount"], after["firedCount"], after["lastStatus"]) == (1, 0, "succeeded")
    assert after["nextRunAt"] == before["nextRunAt"]


async def test_the_payload_can_be_replaced_for_one_run(client: httpx.AsyncClient) -> None:
    await create(client, payload={"size": 3})

    run = (await client.post("/schedules/nightly/trigger", json={"payload": {"size": 1}})).json()

    assert run["payload"] == {"size": 1}
    assert (await client.get("/schedules/nightly")).json()["payload"] == {"size": 3}


@pytest.mark.parametrize("overlap", ["skip", "allow"])
async def test_a_double_click_is_one_run(client: httpx.AsyncClient, overlap: str) -> None:
    await create(client, overlap=overlap)
    click = {"Idempotency-Key": "click-1"}

    answers = await asyncio.gather(
        *(client.post("/schedules/nightly/trigger", headers=click) for _ in range(5)),
        client.post("/schedules/nightly/trigger", json={"requestId": "click-1"}),
    )

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert answers[0].json()["requestId"] == "click-1"
    assert (await client.get("/runs")).json()["pagination"]["total"] == 1


async def test_an_open_run_is_in_the_way_unless_runs_may_overlap(
    client: httpx.AsyncClient,
) -> None:
    await create(client, key="one")
    await create(client, key="many", overlap="allow")

    for key in ("one", "many"):
        assert (await client.post(f"/schedules/{key}/trigger")).status_code == 202

    problem_of(await client.post("/schedules/one/trigger"), 409, "conflict")
    assert (await client.post("/schedules/many/trigger")).status_code == 202


async def test_a_paused_schedule_runs_only_when_forced(client: httpx.AsyncClient) -> None:
    await create(client, enabled=False)

    problem_of(await client.post("/schedules/nightly/trigger"), 422, "not_possible")
    forced = await client.post("/schedules/nightly/trigger", json={"force": True})

    assert forced.status_code == 202


async def test_a_cancelled_schedule_never_runs(client: httpx.AsyncClient) -> None:
    await create(client)
    await client.post("/schedules/nightly/cancel")

    answer = await client.post("/schedules/nightly/trigger", json={"force": True})

    problem_of(answer, 422, "not_possible")


async def test_a_request_id_belongs_to_one_schedule(client: httpx.AsyncClient) -> None:
    await create(client, key="one")
    await create(client, key="two")
    click = {"requestId": "click-1"}

    assert (await client.post("/schedules/one/trigger", json=click)).status_code == 202

    problem_of(await client.post("/schedules/two/trigger", json=click), 409, "conflict")


@ON_SQLITE
@pytest.mark.parametrize(
    ("body", "headers", "path"),
    [
        ({"payload": [1]}, {}, "payload"),
        ({"requestId": ""}, {}, "requestId"),
        ({"requestId": "x" * 256}, {}, "requestId"),
        ({"requestId": 7}, {}, "requestId"),
        ({"force": "yes"}, {}, "force"),
        ({"colour": "red"}, {}, "colour"),
        ({"requestId": "a"}, {"Idempotency-Key": "b"}, "requestId"),
        ({}, {"Idempotency-Key": "x" * 256}, "idempotency-key"),
        ({}, {"Idempotency-Key": "t\u00e4glich"}, "idempotency-key"),
    ],
)
async def test_a_bad_request_starts_nothing(
    client: httpx.AsyncClient, body: dict[str, object], headers: dict[str, str], path: str
) -> None:
    await create(client)
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}

    answer = await client.post("/schedules/nightly/trigger", json=body, headers=raw)

    assert paths_of(problem_of(answer, 422, "invalid_input")) == [path]
    assert (await client.get("/runs")).json()["pagination"]["total"] == 0
