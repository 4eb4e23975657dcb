"""What every request goes through: sizes, ids, headers, and errors that nobody expected."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from tickwright.api import create_app
from tickwright.api.boundary import MAX_BODY_BYTES
from tickwright.bootstrap import Scheduler

from .support import ACME, ON_SQLITE, client_of, create, problem_of

pytestmark = ON_SQLITE
JSON = {"Content-Type": "application/json"}
MEBIBYTE = 1024 * 1024
PIECE = b" " * 65_536


class Endless:
    """A body without end, which counts what was taken of it."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += len(PIECE)
            yield PIECE


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/schedules"),
        ("PATCH", "/schedules/nightly"),
        ("POST", "/schedules/nightly/pause"),
        ("POST", "/schedules/nightly/trigger"),
    ],
)
async def test_an_endless_body_is_read_no_further_than_its_limit(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    body = Endless()

    answer = await client.request(method, path, content=body, headers=JSON)

    problem_of(answer, 413, "too_large")
    assert answer.headers["connection"] == "close"
    assert body.taken <= MAX_BODY_BYTES + len(PIECE)


async def test_service_jobs_limit_it_too(client: httpx.AsyncClient) -> None:
    for method, path in (("POST", "/api/jobs/register"), ("PUT", "/api/jobs/x/cron")):
        body = Endless()
        answer = await client.request(method, path, content=body, headers=JSON)
        assert (answer.status_code, set(answer.json())) == (413, {"error", "message"})
        assert body.taken <= MAX_BODY_BYTES + len(PIECE)


async def test_a_body_that_says_it_is_too_large_is_not_read_at_all(
    client: httpx.AsyncClient,
) -> None:
    body = Endless()

    answer = await client.post(
        "/schedules", content=body, headers={**JSON, "Content-Length": str(MEBIBYTE + 1)}
    )

    problem_of(answer, 413, "too_large")
    assert body.taken == 0


async def test_exactly_one_mebibyte_is_read(client: httpx.AsyncClient) -> None:
    start = b'{"jobKey": "report", "trigger": {"type": "interval", "every": "1h"}}'

    fits = await client.post("/schedules", content=start.ljust(MEBIBYTE), headers=JSON)
    over = await client.post("/schedules", content=start.ljust(MEBIBYTE + 1), headers=JSON)

    assert fits.status_code == 201
    problem_of(over, 413, "too_large")


async def test_the_connection_of_an_endless_body_is_closed(app: FastAPI) -> None:
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /schedules HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        sent = 0
        with suppress(ConnectionError):
            while sent < 1024 * MEBIBYTE:
                writer.write(b"10000\r\n" + PIECE + b"\r\n")
                await writer.drain()
                sent += len(PIECE)
        answer = b""
        with suppress(ConnectionError):
            answer = await reader.read()
        writer.close()

    assert answer.startswith(b"HTTP/1.1 413 ") or not answer
    assert sent < 64 * MEBIBYTE


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[int]:
    """The port of a real server on loopback."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve([listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def test_the_callers_request_id_is_kept(client: httpx.AsyncClient) -> None:
    given = {"X-Request-Id": "trace-7f.3:a/b"}

    fine = await client.get("/schedules", headers=given)
    missing = await client.get("/schedules/none", headers=given)

    assert fine.headers["x-request-id"] == missing.json()["requestId"] == "trace-7f.3:a/b"


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", b"a\nSet-Cookie: x", b"t\xe4glich"])
async def test_a_request_id_that_could_do_harm_is_replaced(
    client: httpx.AsyncClient, given: bytes
) -> None:
    answer = await client.get("/schedules", headers={b"X-Request-Id": given})

    assert answer.headers["x-request-id"].encode() != given
    assert answer.headers["x-request-id"].isalnum()


async def test_every_answer_has_safe_headers(client: httpx.AsyncClient) -> None:
    for path in ("/schedules", "/live", "/nothing", "/docs", "/openapi.json", "/api/jobs/none"):
        answer = await client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/nothing", "/", "/schedules/", "/schedules/a/b/c", "/schedules//pause", "/redoc"]
)
async def test_an_unknown_route_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    problem_of(await client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/schedules", "POST, GET"),
        ("POST", "/schedules/a", "GET, PATCH, DELETE"),
        ("DELETE", "/runs", "GET, POST"),
        ("POST", "/live", "GET"),
        ("PATCH", "/api/jobs/register", "POST, GET, DELETE"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)

    problem_of(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    "path", ["/schedules?search=%00", "/schedules/a%00b", "/runs?jobKey=a%00", "/changes?%00=1"]
)
async def test_a_nul_in_the_url_is_refused(client: httpx.AsyncClient, path: str) -> None:
    problem_of(await client.get(path), 400, "malformed_url")


@pytest.mark.parametrize("path", ["/api/jobs/%00/history", "/api/jobs/x/stats?days=%00"])
async def test_service_jobs_refuse_it_too(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")


@pytest.mark.parametrize(
    "path",
    [
        "/schedules?search=%ed%a0%80",
        "/schedules?search=%ff",
        "/schedules?search=%25%5f'\"\\",
        "/schedules/%ff",
        "/schedules/%ed%a0%80",
        "/schedules?" + "&".join(f"f{number}=1" for number in range(1000)),
        "/runs?" + "status=queued&" * 1000,
    ],
)
async def test_odd_urls_are_answered(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code in (200, 404, 422)


@pytest.mark.parametrize("host", ["", "[", "a b", "evil.test:99999", "x" * 5000])
async def test_an_odd_host_is_no_trouble(client: httpx.AsyncClient, host: str) -> None:
    headers = {"Host": host}

    assert (await client.get("/schedules", headers=headers)).status_code == 200
    problem_of(await client.get("/nothing", headers=headers), 404, "not_found")


async def test_an_unexpected_error_is_logged_and_not_told(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(scheduler, default_scope=ACME, version="1", manage=False)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret detail")

    async with client_of(app) as client:
        answer = await client.get("/broken", headers={"X-Request-Id": "r1"})

    problem_of(answer, 500, "internal_error")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    [record] = [each for each in caplog.records if each.name == "tickwright.api"]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


async def test_an_allowed_origin_may_call(scheduler: Scheduler) -> None:
    app = create_app(
        scheduler,
        default_scope=ACME,
        version="1",
        manage=False,
        allowed_origin="http://localhost:3000",
    )
    async with client_of(app) as client:
        asked = await client.options(
            "/schedules/x",
            headers={
                "Origin": "http://localhost:3000",
                "Access-Control-Request-Method": "PATCH",
                "Access-Control-Request-Headers": "if-match,content-type",
            },
        )
        read = await client.get("/schedules", headers={"Origin": "http://localhost:3000"})
        foreign = await client.get("/schedules", headers={"Origin": "http://evil.test"})

    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert read.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "ETag" in read.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in foreign.headers


async def test_nobody_else_is_allowed_by_default(client: httpx.AsyncClient) -> None:
    await create(client)

    answer = await client.get("/schedules", headers={"Origin": "http://localhost:3000"})

    assert "access-control-allow-origin" not in answer.headers
