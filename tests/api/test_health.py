"""Health, asked without a token: what is fit, what is not, and what goes on without a database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from time import perf_counter

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from tests.faults.world.proxy import Proxy
from tickwright.api import create_app
from tickwright.bootstrap import Scheduler
from tickwright.model.clock import SystemClock

from .support import ACME, DIGEST, OTHER, client_of, create, problem_of

NOWHERE = "postgresql://nobody:secret@127.0.0.1:1/nothing"


async def until_ready(client: httpx.AsyncClient) -> httpx.Response:
    while (answer := await client.get("/ready")).status_code != 200:
        pass
    return answer


@pytest.fixture
async def away(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """The application whose database cannot be reached."""
    monkeypatch.setenv("EMAIL_SERVICE_URL", "http://127.0.0.1:1")
    app = create_app(Scheduler(NOWHERE), default_scope=ACME, version="1.2.3")
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


async def test_a_running_service_is_healthy(live: httpx.AsyncClient) -> None:
    ready = await until_ready(live)
    answer = await live.get("/health")

    assert ready.json() == {"status": "ready", "database": "ok", "problems": []}
    assert answer.status_code == 200
    health = answer.json()
    assert (health["status"], health["service"], health["version"]) == (
        "healthy",
        "tickwright",
        "1.2.3",
    )
    age = await SystemClock().now() - datetime.fromisoformat(health["timestamp"])
    assert abs(age) < timedelta(seconds=10)
    assert (health["jobs"], health["problems"]) == (0, [])
    components = health["components"]
    assert components["database"]["status"] == "ok"
    assert components["database"]["dialect"] in ("sqlite", "postgresql")
    assert components["engine"] == {"status": "ok"}
    assert components["workers"] == {"online": 1}
    assert set(components["leader"]) == {"workerId"}


async def test_it_counts_the_schedules_of_everybody(
    client: httpx.AsyncClient, scheduler: Scheduler
) -> None:
    await create(client)
    other = create_app(scheduler, default_scope=OTHER, version="1", manage=False)
    async with client_of(other) as stranger:
        await create(stranger)

    assert (await client.get("/health")).json()["jobs"] == 2


async def test_without_an_engine_it_is_not_healthy(client: httpx.AsyncClient) -> None:
    ready, health, live = [await client.get(path) for path in ("/ready", "/health", "/live")]

    assert (ready.status_code, health.status_code, live.status_code) == (503, 503, 200)
    assert ready.json() == {
        "status": "not_ready",
        "database": "ok",
        "problems": ["the engine is not running"],
    }
    assert health.json()["status"] == "unhealthy"
    assert health.json()["components"]["engine"] == {"status": "failing"}
    assert live.json() == {"status": "live"}


async def test_a_schema_that_is_not_current_is_told(bare_database_url: str) -> None:
    scheduler = Scheduler(bare_database_url, auto_migrate=False)
    app = create_app(scheduler, default_scope=ACME, version="1")
    async with app.router.lifespan_context(app), client_of(app) as client:
        answer = await client.get("/ready")
        async with asyncio.timeout(20):
            while answer.json()["database"] == "unavailable":
                # A disk that is busy may need longer than those who ask are kept waiting.
                answer = await client.get("/ready")

    assert answer.status_code == 503
    assert answer.json()["database"] == "schema"
    assert "db upgrade" in answer.json()["problems"][0]


async def test_the_process_lives_while_the_database_is_away(away: httpx.AsyncClient) -> None:
    begun = perf_counter()

    live, ready, health = [await away.get(path) for path in ("/live", "/ready", "/health")]

    assert live.status_code == 200
    assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
    assert ready.json()["database"] == "unavailable"
    assert ready.json()["problems"]
    assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
    assert health.json()["components"]["database"] == {
        "status": "unavailable",
        "dialect": "postgresql",
    }
    assert "secret" not in ready.text + health.text
    assert perf_counter() - begun < 2


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/schedules", None),
        ("POST", "/schedules", {"jobKey": "x", "trigger": {"type": "interval", "every": "1h"}}),
        ("GET", "/schedules/x", None),
        ("PATCH", "/schedules/x", {"name": "y"}),
        ("DELETE", "/schedules/x", None),
        ("POST", "/schedules/x/pause", None),
        ("POST", "/schedules/x/resume", None),
        ("POST", "/schedules/x/cancel", None),
        ("POST", "/schedules/x/trigger", None),
        ("GET", "/runs", None),
        ("GET", "/runs/01950000-0000-7000-8000-000000000001", None),
        ("POST", "/runs/01950000-0000-7000-8000-000000000001/cancel", None),
        ("GET", "/workers", None),
        ("GET", "/changes", None),
    ],
)
async def test_requests_are_put_off_quickly_meanwhile(
    away: httpx.AsyncClient, method: str, path: str, body: object
) -> None:
    begun = perf_counter()

    answer = await away.request(method, path, json=body)

    problem = problem_of(answer, 503, "store_unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "127.0.0.1" not in problem["detail"]
    assert perf_counter() - begun < 2


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/jobs/register", DIGEST),
        ("GET", "/api/jobs", None),
        ("GET", "/api/jobs/x", None),
        ("POST", "/api/jobs/x/trigger", None),
        ("POST", "/api/jobs/x/enable", None),
        ("POST", "/api/jobs/x/disable", None),
        ("DELETE", "/api/jobs/x", None),
        ("PUT", "/api/jobs/x/cron", {"cronExpression": "* * * * *"}),
        ("GET", "/api/jobs/x/history", None),
        ("GET", "/api/jobs/x/stats", None),
    ],
)
async def test_service_jobs_are_put_off_in_their_own_words(
    away: httpx.AsyncClient, method: str, path: str, body: object
) -> None:
    answer = await away.request(method, path, json=body)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert set(answer.json()) == {"error", "message"}


@pytest.fixture
async def hung(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[httpx.AsyncClient, Proxy]]:
    """The application whose database takes everything and answers nothing, and what is between."""
    monkeypatch.setattr("tickwright.store.postgres.database._CALL_SECONDS", 5.0)
    async with Proxy(postgres_url) as proxy:
        scheduler = Scheduler(proxy.url)
        await scheduler.open()
        app = create_app(scheduler, default_scope=ACME, version="1.2.3", manage=False)
        async with client_of(app) as client:
            assert (await client.get("/ready")).json()["database"] == "ok"
            proxy.stall()
            yield client, proxy
            proxy.flow()
        await scheduler.stop()


async def test_probes_do_not_wait_for_a_database_that_hangs(
    hung: tuple[httpx.AsyncClient, Proxy],
) -> None:
    client, proxy = hung
    begun = perf_counter()
    assert (await client.get("/live")).status_code == 200
    assert perf_counter() - begun < 1

    for path in ("/ready", "/health"):
        begun = perf_counter()
        answer = await client.get(path)
        assert answer.status_code == 503
        assert "the database does not answer" in answer.json()["problems"]
        assert perf_counter() - begun < 3

    proxy.flow()
    async with asyncio.timeout(3):
        while (await client.get("/ready")).json()["database"] != "ok":
            pass


async def test_many_probes_ask_a_database_that_hangs_once(
    hung: tuple[httpx.AsyncClient, Proxy],
) -> None:
    client, proxy = hung
    answers = await asyncio.gather(*(client.get("/ready") for _ in range(30)))

    assert {answer.status_code for answer in answers} == {503}
    assert {answer.json()["database"] for answer in answers} == {"unavailable"}
    assert proxy.connections <= 2


async def test_requests_to_a_database_that_hangs_are_put_off_as_well(
    hung: tuple[httpx.AsyncClient, Proxy],
) -> None:
    client, proxy = hung
    begun = perf_counter()
    answers = await asyncio.gather(
        client.get("/schedules"), client.post("/api/jobs/x/enable"), create_one(client)
    )

    assert {(answer.status_code, answer.headers["retry-after"]) for answer in answers} == {
        (503, "5")
    }
    assert perf_counter() - begun < 8
    proxy.flow()
    assert (await client.get("/schedules")).status_code == 200


async def create_one(client: httpx.AsyncClient) -> httpx.Response:
    trigger = {"type": "interval", "every": "1h"}
    return await client.post("/schedules", json={"jobKey": "x", "trigger": trigger})


@asynccontextmanager
async def renamed(url: str) -> AsyncIterator[None]:
    """A PostgreSQL database cannot be found by its name inside the block."""
    name = make_url(url).database
    admin = make_url(url).set(database="postgres").render_as_string(hide_password=False)
    connection = await asyncpg.connect(admin)
    await connection.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_away"')
    try:
        yield
    finally:
        await connection.execute(f'ALTER DATABASE "{name}_away" RENAME TO "{name}"')
        await connection.close()


async def test_work_begins_when_the_database_comes(postgres_url: str) -> None:
    app = create_app(Scheduler(postgres_url), default_scope=ACME, version="1")
    async with AsyncExitStack() as stack:
        async with renamed(postgres_url):
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = await stack.enter_async_context(client_of(app))
            assert (await client.get("/ready")).json()["database"] == "unavailable"
            problem_of(await client.get("/schedules"), 503, "store_unavailable")

        assert (await until_ready(client)).status_code == 200
        assert (await client.get("/schedules")).status_code == 200
