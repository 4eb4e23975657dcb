"""Targets that are open for one test, and the service they talk to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tickwright.targets.handler import HandlerRegistry, HandlerTarget
from tickwright.targets.http import HttpTarget

from .support import Serve, Service, running_service


@pytest.fixture
def registry() -> HandlerRegistry:
    return HandlerRegistry()


@pytest.fixture
async def handlers(registry: HandlerRegistry) -> AsyncIterator[HandlerTarget]:
    target = HandlerTarget(registry, threads=2)
    await target.open()
    yield target
    await target.close()


@pytest.fixture
def serve(registry: HandlerRegistry, handlers: HandlerTarget) -> Serve:
    return Serve(registry, handlers)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with running_service() as service:
        yield service


@pytest.fixture
async def http(service: Service) -> AsyncIterator[HttpTarget]:
    target = HttpTarget({"EMAIL_SERVICE": service.url})
    await target.open()
    yield target
    await target.close()
