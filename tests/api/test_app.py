"""The application as a whole: who starts and stops the engine, and mounting it in another."""

from __future__ import annotations

import asyncio
from importlib import import_module

import httpx
from fastapi import FastAPI

from tickwright.api import RESOURCES, create_app
from tickwright.bootstrap import Scheduler

from .support import ACME, ON_SQLITE, client_of, create


@ON_SQLITE
async def test_it_drains_the_engine_when_it_stops(scheduler: Scheduler) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    @scheduler.handler("report")
    async def report(tenant_id: str, payload: object) -> None:
        begun.set()
        await may_end.wait()

    app = create_app(scheduler, default_scope=ACME, version="1")
    async with app.router.lifespan_context(app), client_of(app) as client:
        await create(client)
        run = (await client.post("/schedules/nightly/trigger")).json()
        await begun.wait()
        asyncio.get_running_loop().call_soon(may_end.set)

    assert not scheduler._runtime.running
    await scheduler.open()
    found = await scheduler.find_runs(ACME)
    assert [str(each.id) for each in found.items] == [run["id"]]
    assert found.items[0].status.value == "succeeded"


@ON_SQLITE
async def test_the_host_owns_the_engine_of_a_mounted_application(scheduler: Scheduler) -> None:
    host = FastAPI()
    host.mount("/jobs", create_app(scheduler, default_scope=ACME, version="1", manage=False))

    async with host.router.lifespan_context(host), client_of(host) as client:
        assert not scheduler._runtime.running
        answer = await client.post(
            "/jobs/schedules",
            json={"key": "nightly", "jobKey": "x", "trigger": {"type": "interval", "every": "1h"}},
        )
        accepted = await client.post("/jobs/schedules/nightly/trigger")
        document = (await client.get("/jobs/openapi.json")).json()
        page = await client.get("/jobs/docs")
        wrong = await client.put("/jobs/schedules")

    assert answer.headers["location"] == f"/jobs/schedules/{answer.json()['id']}"
    assert accepted.headers["location"] == f"/jobs/runs/{accepted.json()['id']}"
    assert document["servers"] == [{"url": "/jobs"}]
    assert page.status_code == 200
    assert wrong.headers["allow"] == "POST, GET"


@ON_SQLITE
async def test_a_location_can_be_followed_where_it_is_mounted(scheduler: Scheduler) -> None:
    host = FastAPI()
    host.mount("/jobs", create_app(scheduler, default_scope=ACME, version="1", manage=False))
    async with client_of(host) as client:
        made = await client.post(
            "/jobs/schedules",
            json={"jobKey": "x", "trigger": {"type": "interval", "every": "1h"}},
        )
        assert (await client.get(made.headers["location"])).json() == made.json()


def test_every_resource_is_a_file_of_its_own() -> None:
    modules = [member.partition(":")[0] for member in RESOURCES.values()]

    assert len(set(modules)) == len(modules)
    for module in modules:
        assert import_module(module).router.routes


@ON_SQLITE
async def test_a_handler_registered_later_is_served(
    live: httpx.AsyncClient, scheduler: Scheduler
) -> None:
    while (await live.get("/ready")).status_code != 200:
        pass
    before = await create(live)

    scheduler.register_handler("report", lambda tenant_id, payload: None)

    assert before["health"] == "no_handler"
    assert (await live.get("/schedules/nightly")).json()["health"] == "ok"
