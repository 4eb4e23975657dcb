"""The sink writes down every request, and misbehaves as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.faults.world.processes import until
from tests.faults.world.sink import Mood, Sink

RUN = UUID(int=7)


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as started:
        yield started


async def deliver(sink: Sink, attempt: int = 1, timeout: float = 5, **config: Any) -> int:
    """What the sink answers to a run whose payload is `config`."""
    headers = {
        "Idempotency-Key": "k",
        "X-Scheduler-Execution-Id": str(RUN),
        "X-Scheduler-Attempt": str(attempt),
        "X-Scheduler-Nominal": "2026-03-01T09:00:00Z",
    }
    async with httpx.AsyncClient(timeout=timeout, trust_env=False) as http:
        answer = await http.post(f"{sink.url}/jobs/x", json={"config": config}, headers=headers)
    return answer.status_code


async def test_a_delivery_is_written_down_with_its_answer(sink: Sink) -> None:
    assert await deliver(sink) == 200
    (delivery,) = sink.deliveries
    assert (delivery.run, delivery.key, delivery.attempt) == (RUN.hex, "k", 1)
    assert delivery.nominal_at == 1772355600
    assert delivery.status == 200
    assert delivery.answered_at is not None
    assert delivery.answered_at >= delivery.at


async def test_a_payload_asks_for_an_error_in_its_first_attempts_only(sink: Sink) -> None:
    assert await deliver(sink, attempt=1, status=503, attempts=1) == 503
    assert await deliver(sink, attempt=2, status=503, attempts=1) == 200
    assert [delivery.status for delivery in sink.deliveries] == [503, 200]


async def test_the_mood_is_for_everybody_and_the_payload_comes_on_top(sink: Sink) -> None:
    sink.mood = Mood(status=500)
    assert await deliver(sink) == 500
    assert await deliver(sink, status=200) == 200


async def test_a_reset_answers_nothing(sink: Sink) -> None:
    with pytest.raises(httpx.ReadError):
        await deliver(sink, reset=True)
    assert [delivery.status for delivery in sink.deliveries] == [None]


async def test_an_answer_that_nobody_waits_for_was_not_sent(sink: Sink) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await deliver(sink, timeout=0.2, delay=0.4)
    await asyncio.sleep(0.5)
    assert [delivery.status for delivery in sink.deliveries] == [None]


async def test_a_request_that_hangs_is_written_down_at_once(sink: Sink) -> None:
    waiting = asyncio.create_task(deliver(sink, hang=True))
    await until(lambda: sink.deliveries, 2, "the request has arrived")
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
