"""Clients write down what they were told, and look for themselves when they were told nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from tests.faults.judge.history import Operation
from tests.faults.world.clients import Client, Habits
from tests.faults.world.processes import until

ONE = Habits(schedules=1, pace=0.0)


class Service:
    """A service that keeps one schedule, and answers or fails to answer as `how` says."""

    def __init__(self) -> None:
        self.how = "well"
        self.found: dict[str, object] | None = None

    async def write(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else {}
        if self.how == "refuses":
            return web.json_response({}, status=422)
        if self.how != "drops before":
            self.found = body | {"status": "active"}
        if self.how in ("drops before", "drops after"):
            assert request.transport is not None
            request.transport.abort()
        status = 503 if self.how == "fails after" else 201
        return web.json_response(self.found, status=status)

    async def read(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self.found or {}, status=200 if self.found else 404)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def address(service: Service) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{path:.+}", service.write)
    app.router.add_get("/{path:.+}", service.read)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def first_write(*addresses: str) -> Operation:
    """What a client writes down of its first write."""
    operations: list[Operation] = []
    stop = asyncio.Event()
    async with Client("c", 1, addresses, operations, ONE) as client:
        working = asyncio.create_task(client.work(stop))
        await until(lambda: operations, 10, "something is written down")
        stop.set()
        await working
    return operations[0]


async def test_an_answer_is_written_down(address: str) -> None:
    operation = await first_write(address)
    assert (operation.kind, operation.outcome, operation.status) == ("create", "ok", 201)
    assert operation.answered_at is not None


async def test_a_refusal_is_a_failure(service: Service, address: str) -> None:
    service.how = "refuses"
    assert (await first_write(address)).outcome == "fail"


@pytest.mark.parametrize("how", ["drops after", "fails after"])
async def test_a_write_without_an_answer_is_looked_up_and_found(
    how: str, service: Service, address: str
) -> None:
    service.how = how
    operation = await first_write(address)
    assert (operation.outcome, operation.seen) == ("unknown", True)
    assert operation.seen_at is not None


async def test_a_write_that_never_arrived_is_looked_up_and_missed(
    service: Service, address: str
) -> None:
    service.how = "drops before"
    operation = await first_write(address)
    assert (operation.outcome, operation.seen) == ("unknown", False)


async def test_a_service_that_is_down_was_not_asked(address: str) -> None:
    down = f"http://127.0.0.1:{unused_port()}"
    operations = [await first_write(down, address), await first_write(address, down)]
    assert [operation.outcome for operation in operations] == ["ok", "ok"]
