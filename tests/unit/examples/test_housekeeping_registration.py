"""Registration against a real local HTTP server that answers as a scheduler does."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from examples.housekeeping.registration import NotRegistered, register_jobs

REPOSITORY = Path(__file__).parents[3]
JOB_NAMES = ["directory-digest", "disk-usage-report", "sqlite-backup"]
AT_ONCE = [0.0] * 5


class Scheduler:
    """Is ready after `unready` askings, takes every job unless `refusal` is set."""

    def __init__(self) -> None:
        self.unready = 0
        self.refusal: str | None = None
        self.jobs: list[dict[str, Any]] = []
        self.tokens: set[str | None] = set()
        self.has_all_jobs = asyncio.Event()
        self.url = ""

    async def ready(self, _: web.Request) -> web.Response:
        self.unready -= 1
        return web.Response(status=503 if self.unready >= 0 else 200)

    async def register(self, request: web.Request) -> web.Response:
        if self.refusal:
            return web.json_response({"error": self.refusal}, status=400)
        self.jobs.append(await request.json())
        self.tokens.add(request.headers.get("X-Service-Token"))
        if len(self.jobs) == len(JOB_NAMES):
            self.has_all_jobs.set()
        return web.json_response({"success": True, "message": "registered"})


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    scheduler = Scheduler()
    app = web.Application()
    app.router.add_get("/ready", scheduler.ready)
    app.router.add_post("/api/jobs/register", scheduler.register)
    async with TestServer(app) as server:
        scheduler.url = str(server.make_url("/"))
        yield scheduler


async def test_every_job_is_registered_with_all_fields_once_the_scheduler_is_ready(
    scheduler: Scheduler,
) -> None:
    scheduler.unready = 3

    await register_jobs(scheduler.url, pauses=AT_ONCE)

    assert [job["name"] for job in scheduler.jobs] == JOB_NAMES
    assert scheduler.jobs[0] == {
        "name": "directory-digest",
        "displayName": "Directory digest",
        "description": "Lists the files that were added, changed or removed since the last run",
        "cronExpression": "* * * * *",
        "enabled": True,
        "jobType": "other",
        "service": "housekeeping-service",
        "endpoint": "/api/jobs/directory-digest",
        "config": {"directory": "files", "output": "reports/digest"},
    }


async def test_a_scheduler_that_never_becomes_ready_gets_no_jobs(scheduler: Scheduler) -> None:
    scheduler.unready = len(AT_ONCE)

    with pytest.raises(NotRegistered, match="no scheduler became ready"):
        await register_jobs(scheduler.url, pauses=AT_ONCE)

    assert scheduler.jobs == []


async def test_a_scheduler_that_is_not_there_is_given_up_on() -> None:
    with pytest.raises(NotRegistered, match="no scheduler became ready"):
        await register_jobs(f"http://127.0.0.1:{free_port()}", pauses=AT_ONCE)


async def test_a_refused_job_says_why(scheduler: Scheduler) -> None:
    scheduler.refusal = "cronExpression: invalid"

    with pytest.raises(NotRegistered, match=r"directory-digest: 400 .*cronExpression: invalid"):
        await register_jobs(scheduler.url, pauses=AT_ONCE)


@pytest.mark.parametrize("token", [None, "s3cret"])
async def test_the_service_token_is_sent_when_there_is_one(
    scheduler: Scheduler, token: str | None
) -> None:
    await register_jobs(scheduler.url, token, AT_ONCE)

    assert scheduler.tokens == {token}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_service_registers_serves_and_ends_when_it_is_told_to(
    scheduler: Scheduler, tmp_path: Path, number: signal.Signals
) -> None:
    port = free_port()
    options = ("--port", str(port), "--scheduler-url", scheduler.url, "--data", str(tmp_path))
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples.housekeeping", *options, cwd=REPOSITORY
    )
    try:
        await asyncio.wait_for(scheduler.has_all_jobs.wait(), 30)
        digest = scheduler.jobs[0]
        context = {"jobName": digest["name"], "config": digest["config"]}
        context |= {"executionId": "1", "triggeredBy": "scheduler"}
        url = f"http://127.0.0.1:{port}{digest['endpoint']}"
        async with ClientSession() as session, session.post(url, json=context) as answer:
            assert (await answer.json())["itemsSucceeded"] == 19
        service.send_signal(number)
        assert await asyncio.wait_for(service.wait(), 30) == 0
    finally:
        if service.returncode is None:
            service.kill()
            await service.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
