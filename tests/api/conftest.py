"""The real application in this process, on a database of the test's own, with a real service."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from tests.targets.support import Service, running_service
from tickwright.api import create_app
from tickwright.bootstrap import Scheduler
from tickwright.testing import FakeClock

from .support import ACME, Engine, client_of


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """The job service that `email-service` names."""
    async with running_service() as running:
        monkeypatch.setenv("EMAIL_SERVICE_URL", running.url)
        yield running


@pytest.fixture
async def scheduler(
    database_url: str, clock: FakeClock, service: Service
) -> AsyncIterator[Scheduler]:
    """A scheduler whose engine does not run; requests are all that happens."""
    opened = Scheduler(database_url, clock=clock)
    await opened.open()
    yield opened
    await opened.stop()


@pytest.fixture
def app(scheduler: Scheduler) -> FastAPI:
    return create_app(scheduler, default_scope=ACME, version="1.2.3", manage=False)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as opened:
        yield opened


@pytest.fixture
async def engine(scheduler: Scheduler) -> AsyncIterator[Engine]:
    """The scheduler's engine, which does one round when it is told to."""
    driven = Engine(scheduler)
    await driven.open()
    yield driven
    await driven.close()


@pytest.fixture
async def live(scheduler: Scheduler) -> AsyncIterator[httpx.AsyncClient]:
    """The application with its engine running, as `tickwright serve` has it."""
    app = create_app(scheduler, default_scope=ACME, version="1.2.3")
    async with app.router.lifespan_context(app), client_of(app) as opened:
        yield opened
