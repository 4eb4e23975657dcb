"""One scope's API never shows, counts or changes what belongs to another."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tickwright.api import create_app
from tickwright.bootstrap import Scheduler
from tickwright.model.scope import organization

from .support import EMAIL, OTHER, UNKNOWN_ID, create, register


@pytest.fixture(params=["tenant", "organization"])
async def stranger(
    request: pytest.FixtureRequest, scheduler: Scheduler
) -> AsyncIterator[httpx.AsyncClient]:
    """The API as another tenant, and as an organization of the same tenant, is served it."""
    scope = OTHER if request.param == "tenant" else organization("acme", "north")
    app = create_app(scheduler, default_scope=scope, version="1", manage=False)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test"
    ) as opened:
        yield opened


async def test_foreign_ids_answer_like_missing_ones(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    schedule = await create(client, target=EMAIL)
    run = (await client.post("/schedules/nightly/trigger")).json()
    requests = [
        ("GET", "/schedules/{}", schedule["id"]),
        ("PATCH", "/schedules/{}", schedule["id"]),
        ("DELETE", "/schedules/{}", schedule["id"]),
        *[
            ("POST", f"/schedules/{{}}/{action}", schedule["id"])
            for action in ("pause", "resume", "cancel", "trigger")
        ],
        ("GET", "/runs/{}", run["id"]),
        ("POST", "/runs/{}/cancel", run["id"]),
        ("GET", "/changes?schedule={}", schedule["id"]),
        ("GET", "/api/jobs/{}", schedule["id"]),
        ("GET", "/api/jobs/{}/history", schedule["id"]),
        ("GET", "/api/jobs/{}/stats", schedule["id"]),
        ("DELETE", "/api/jobs/{}", schedule["id"]),
        ("PUT", "/api/jobs/{}/cron", schedule["id"]),
        *[
            ("POST", f"/api/jobs/{{}}/{action}", schedule["id"])
            for action in ("trigger", "enable", "disable")
        ],
    ]
    bodies = {"PATCH": {"name": "mine"}, "PUT": {"cronExpression": "* * * * *"}}

    for method, path, foreign in requests:
        answers = [
            await stranger.request(
                method,
                path.format(ref),
                json=bodies.get(method),
                headers={"X-Request-Id": "same", "X-Tenant-Id": "acme"},
            )
            for ref in (foreign, UNKNOWN_ID)
        ]
        told, missing = answers
        assert told.status_code == missing.status_code == 404, (method, path)
        assert told.text.replace(foreign, "ID") == missing.text.replace(UNKNOWN_ID, "ID")

    assert (await client.get(f"/schedules/{schedule['id']}")).json() == schedule
    assert (await client.get(f"/runs/{run['id']}")).json()["status"] == "queued"


async def test_foreign_rows_are_in_no_list_and_no_total(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    await register(client)
    schedule = await create(client)
    await client.post("/schedules/nightly/trigger")

    for path in (
        "/schedules",
        "/schedules?search=nightly",
        "/runs",
        f"/runs?scheduleId={schedule['id']}",
        "/runs?scheduleId=nightly",
        "/changes",
    ):
        answer = (await stranger.get(path)).json()
        assert (answer["data"], answer["pagination"]["total"]) == ([], 0), path
    assert (await stranger.get("/api/jobs")).json() == {"jobs": []}


async def test_the_same_key_may_live_in_both(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    mine = await create(client)
    theirs = await create(stranger)

    await stranger.delete("/schedules/nightly")

    assert mine["id"] != theirs["id"]
    assert (await client.get("/schedules/nightly")).json() == mine


async def test_the_same_request_id_starts_a_run_in_each(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    click = {"Idempotency-Key": "click-1"}
    runs = []
    for each in (client, stranger):
        await create(each)
        runs.append(await each.post("/schedules/nightly/trigger", headers=click))

    assert {run.status_code for run in runs} == {202}
    assert runs[0].json()["id"] != runs[1].json()["id"]
