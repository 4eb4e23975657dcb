"""Handlers are called with what they ask for, and only what can be called is registered."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.model.run import Failed, Succeeded
from tickwright.model.scope import SYSTEM, organization
from tickwright.targets.base import Handlers
from tickwright.targets.context import RunContext
from tickwright.targets.handler import HandlerRegistry, HandlerTarget

from .support import HANDLER, NOMINAL, RUN_ID, SCHEDULE_ID, Serve, claimed


async def test_handler_gets_tenant_and_payload(serve: Serve) -> None:
    async def work(tenant_id: str | None, payload: dict[str, Any]) -> object:
        return [tenant_id, payload]

    assert await serve(work) == Succeeded(["acme", {"batchSize": 100}])
    in_organization = claimed(HANDLER, scope=organization("acme", "north"), payload={})
    assert await serve(work, in_organization) == Succeeded(["acme", {}])
    assert await serve(work, claimed(HANDLER, scope=SYSTEM)) == Succeeded(
        [None, {"batchSize": 100}]
    )


@pytest.mark.parametrize("payload", [{"a": {"b": [1, {"c": 2}]}}, {}])
async def test_payload_is_a_copy_the_handler_may_change(
    serve: Serve, payload: dict[str, Any]
) -> None:
    async def work(tenant_id: str | None, given: dict[str, Any]) -> None:
        for inner in given.get("a", {}).get("b", [])[1:]:
            inner["c"] = "changed"
        given.get("a", {}).get("b", []).append("changed")
        given["changed"] = True

    run = claimed(HANDLER, payload=payload)
    await serve(work, run)
    await serve(work, run)

    assert run.payload in ({"a": {"b": [1, {"c": 2}]}}, {})


async def test_third_argument_is_the_context_of_the_run(serve: Serve) -> None:
    seen: list[RunContext] = []

    async def work(tenant_id: str | None, payload: dict[str, Any], ctx: RunContext) -> None:
        seen.append(ctx)

    run = claimed(HANDLER, attempt=3, triggered_by="ann")
    await serve(work, run)

    ctx = seen[0]
    assert (ctx.run_id, ctx.schedule_id, ctx.attempt) == (RUN_ID, SCHEDULE_ID, 3)
    assert (ctx.schedule_key, ctx.job_key) == ("weekly-digest", "digest")
    assert (ctx.scope, ctx.triggered_by) == (run.scope, "ann")
    assert (ctx.nominal_at, ctx.run_at) == (NOMINAL, NOMINAL)
    assert ctx.idempotency_key == run.idempotency_key
    assert ctx.cancel_requested is False


def three(tenant_id: str | None, payload: dict[str, Any], anything: Any) -> str:
    return type(anything).__name__


def optional_ctx(tenant_id: str | None, payload: dict[str, Any], ctx: Any = None) -> str:
    return type(ctx).__name__


def default_third(tenant_id: str | None, payload: dict[str, Any], size: int = 5) -> str:
    return type(size).__name__


def any_number(*args: Any, **kwargs: Any) -> str:
    return str(len(args))


class Callable3:
    async def __call__(self, tenant_id: str | None, payload: dict[str, Any], run: Any) -> str:
        return type(run).__name__

    def method(self, tenant_id: str | None, payload: dict[str, Any]) -> str:
        return "method"


@functools.wraps(three)
def wrapped(*args: Any) -> str:
    return three(*args)


async def async_three(size: int, tenant_id: str | None, payload: dict[str, Any], ctx: Any) -> str:
    return f"{size} {type(ctx).__name__}"


@pytest.mark.parametrize(
    ("fn", "result"),
    [
        (three, "RunContext"),
        (optional_ctx, "RunContext"),
        (default_third, "int"),
        (any_number, "2"),
        (wrapped, "RunContext"),
        (Callable3(), "RunContext"),
        (Callable3().method, "method"),
        (functools.partial(async_three, 7), "7 RunContext"),
        (functools.partial(Callable3()), "RunContext"),
        (lambda tenant_id, payload: async_three(8, tenant_id, payload, None), "8 NoneType"),
    ],
)
async def test_every_shape_of_callable_is_served(
    serve: Serve, fn: Callable[..., Any], result: str
) -> None:
    assert await serve(fn) == Succeeded(result)


def one(tenant_id: str) -> None: ...


def four(a: Any, b: Any, c: Any, d: Any) -> None: ...


def keyword_only(a: Any, b: Any, *, c: Any) -> None: ...


def generator(a: Any, b: Any) -> Iterator[int]:
    yield 1


async def async_generator(a: Any, b: Any) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    "fn", [one, four, keyword_only, generator, async_generator, "text", None, dict]
)
def test_what_cannot_be_called_with_two_or_three_is_refused(
    registry: HandlerRegistry, fn: Any
) -> None:
    with pytest.raises(InvalidInput) as refused:
        registry.register("work", fn)

    assert refused.value.field == "handler"
    assert registry.names == ()


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", "a\0b", "\ud800", None, 7])
def test_names_that_could_not_be_stored_are_refused(registry: HandlerRegistry, name: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        registry.register(name, any_number)

    assert refused.value.field == "name"


async def test_registering_again_overwrites_and_warns(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    await serve(three)
    with caplog.at_level(logging.WARNING):
        assert await serve(default_third) == Succeeded("int")

    assert "'work' is registered again" in caplog.text
    assert serve.registry.names == ("work",)


def test_names_are_listed_in_order(registry: HandlerRegistry) -> None:
    handlers: Handlers = registry
    for name in ("b", "a", "c"):
        handlers.register(name, any_number)

    assert handlers.names == ("a", "b", "c")


def test_a_name_that_others_may_serve_is_accepted(handlers: HandlerTarget) -> None:
    assert handlers.check(HANDLER) == HANDLER


async def test_a_name_nobody_serves_here_can_be_retried_elsewhere(handlers: HandlerTarget) -> None:
    for name in ("work", None, 7, ["work"]):
        outcome = await handlers.deliver(claimed({"type": "handler", "name": name}))

        assert outcome == Failed(f"no handler {name!r} is registered in this process")
