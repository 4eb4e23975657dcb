"""Sync handlers run beside the loop, and what is left of them after a cancellation is harmless."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from tickwright.model.run import Failed, Succeeded
from tickwright.targets.context import RunContext
from tickwright.targets.handler import HandlerRegistry, HandlerTarget

from .support import HANDLER, claimed

PATIENCE = 30

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


class Blocked:
    """A sync handler that is busy until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.left = threading.Event()
        self.cancel_seen: list[bool] = []

    def __call__(self, tenant_id: str | None, payload: dict[str, Any], ctx: RunContext) -> str:
        self.entered.set()
        assert self.let_go.wait(PATIENCE)
        self.cancel_seen.append(ctx.cancel_requested)
        self.left.set()
        return "done"

    async def is_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.wait, PATIENCE)

    async def is_left(self) -> None:
        assert await asyncio.to_thread(self.left.wait, PATIENCE)


async def test_a_sync_handler_does_not_block_the_loop(
    registry: HandlerRegistry, handlers: HandlerTarget
) -> None:
    blocked = Blocked()
    registry.register("work", blocked)
    delivery = asyncio.create_task(handlers.deliver(claimed(HANDLER)))
    await blocked.is_entered()

    assert not delivery.done()
    blocked.let_go.set()

    assert await delivery == Succeeded("done")
    assert blocked.cancel_seen == [False]


async def test_a_thread_sees_that_its_delivery_was_cancelled(
    registry: HandlerRegistry, handlers: HandlerTarget
) -> None:
    blocked = Blocked()
    registry.register("work", blocked)
    delivery = asyncio.create_task(handlers.deliver(claimed(HANDLER)))
    await blocked.is_entered()
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery

    blocked.let_go.set()
    await blocked.is_left()

    assert blocked.cancel_seen == [True]


async def test_a_thread_still_sees_it_after_a_timeout_has_been_taken_back(
    registry: HandlerRegistry, handlers: HandlerTarget
) -> None:
    blocked = Blocked()
    registry.register("work", blocked)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await handlers.deliver(claimed(HANDLER))

    blocked.let_go.set()
    if blocked.entered.is_set():
        await blocked.is_left()
        assert blocked.cancel_seen == [True]


async def test_a_run_cancelled_before_a_thread_was_free_is_never_started(
    registry: HandlerRegistry, handlers: HandlerTarget
) -> None:
    holders = [Blocked(), Blocked()]
    deliveries = []
    for holder in holders:
        registry.register("hold", holder)
        run = claimed({"type": "handler", "name": "hold"})
        deliveries.append(asyncio.create_task(handlers.deliver(run)))
        await holder.is_entered()
    waiting = Blocked()
    registry.register("work", waiting)
    late = asyncio.create_task(handlers.deliver(claimed(HANDLER)))
    await asyncio.wait([late], timeout=0)
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late

    for holder in holders:
        holder.let_go.set()

    assert await asyncio.gather(*deliveries) == [Succeeded("done")] * 2
    assert not waiting.entered.is_set()


async def test_context_variables_reach_the_thread(
    registry: HandlerRegistry, handlers: HandlerTarget
) -> None:
    def work(tenant_id: str | None, payload: dict[str, Any]) -> str:
        seen = who.get()
        who.set("the thread")
        return seen

    registry.register("work", work)
    who.set("the worker")

    assert await handlers.deliver(claimed(HANDLER)) == Succeeded("the worker")
    assert who.get() == "the worker"


async def test_a_coroutine_nobody_waits_for_any_more_is_closed(registry: HandlerRegistry) -> None:
    target = HandlerTarget(registry, threads=1)
    await target.open()
    blocked = Blocked()
    made: list[Coroutine[Any, Any, None]] = []

    async def later() -> None: ...

    def work(tenant_id: str | None, payload: dict[str, Any], ctx: RunContext) -> Any:
        made.append(later())
        blocked(tenant_id, payload, ctx)
        return made[0]

    registry.register("work", work)
    delivery = asyncio.create_task(target.deliver(claimed(HANDLER)))
    await blocked.is_entered()
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery
    blocked.let_go.set()
    await blocked.is_left()
    registry.register("next", lambda tenant_id, payload: None)
    await target.deliver(claimed({"type": "handler", "name": "next"}))
    await target.close()

    assert inspect.getcoroutinestate(made[0]) == inspect.CORO_CLOSED


async def test_closing_does_not_wait_for_a_thread_that_nobody_can_stop(
    registry: HandlerRegistry,
) -> None:
    target = HandlerTarget(registry, threads=1)
    await target.open()
    blocked = Blocked()
    registry.register("work", blocked)
    delivery = asyncio.create_task(target.deliver(claimed(HANDLER)))
    await blocked.is_entered()
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery

    await target.close()

    assert not blocked.left.is_set()
    blocked.let_go.set()
    await blocked.is_left()


async def test_a_run_still_waiting_for_a_thread_at_close_fails(registry: HandlerRegistry) -> None:
    target = HandlerTarget(registry, threads=1)
    await target.open()
    blocked = Blocked()
    registry.register("work", blocked)
    first = asyncio.create_task(target.deliver(claimed(HANDLER)))
    await blocked.is_entered()
    second = asyncio.create_task(target.deliver(claimed(HANDLER)))
    await asyncio.wait([second], timeout=0)

    await target.close()
    outcome = await second

    assert isinstance(outcome, Failed)
    assert outcome.retryable
    blocked.let_go.set()
    assert await first == Succeeded("done")


async def test_a_target_that_is_not_open_fails_instead_of_running_on_the_loop(
    registry: HandlerRegistry,
) -> None:
    registry.register("work", lambda tenant_id, payload: None)

    outcome = await HandlerTarget(registry).deliver(claimed(HANDLER))

    assert isinstance(outcome, Failed)
    assert "is not open" in outcome.error
