"""Whatever a handler returns or raises becomes an outcome that can be stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tickwright.model.json import MAX_JSON_BYTES
from tickwright.model.run import Cancelled, Failed, Outcome, Snoozed, Succeeded
from tickwright.model.verdict import Cancel, Discard, Retry, Snooze, Verdict
from tickwright.targets.context import RunContext
from tickwright.targets.handler import MAX_ERROR_BYTES

from .support import HANDLER, Serve, claimed


async def raises_value_error(tenant_id: str | None, payload: dict[str, Any]) -> None:
    raise ValueError("no\0 \ud800 luck")


def raises_in_thread(tenant_id: str | None, payload: dict[str, Any]) -> None:
    raise ValueError("no\0 \ud800 luck")


@pytest.mark.parametrize("fn", [raises_value_error, raises_in_thread])
async def test_an_exception_is_told_with_its_innermost_frames(
    serve: Serve, fn: Callable[..., Any]
) -> None:
    failed = await serve.failure(fn)

    assert failed.retryable
    assert failed.error.startswith("ValueError: no")
    assert f"in {fn.__name__}" in failed.error
    assert "targets/handler.py" not in failed.error
    assert "\0" not in failed.error
    assert failed.error.encode()


async def test_the_cause_of_an_exception_is_told_too(serve: Serve) -> None:
    async def work(tenant_id: str | None, payload: dict[str, Any]) -> None:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise RuntimeError("outer") from error

    failed = await serve.failure(work)

    assert failed.error.startswith("RuntimeError: outer")
    assert "KeyError: 'inner'" in failed.error


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def deep(tenant_id: str | None, payload: dict[str, Any]) -> None:
    deep(tenant_id, payload)


@pytest.mark.parametrize(
    "error", [ValueError("å" * 10_000_000), Unspeakable(), ValueError("a\n" * 50_000), ValueError()]
)
async def test_the_text_of_a_failure_is_bounded(serve: Serve, error: Exception) -> None:
    async def work(tenant_id: str | None, payload: dict[str, Any]) -> None:
        raise error

    failed = await serve.failure(work)

    assert failed.error.startswith(("ValueError", f"{__name__}.Unspeakable"))
    assert "in work" in failed.error or len(failed.error.encode()) > MAX_ERROR_BYTES - 10
    assert len(failed.error.encode()) <= MAX_ERROR_BYTES


async def test_endless_recursion_is_a_bounded_failure(serve: Serve) -> None:
    failed = await serve.failure(deep)

    assert failed.error.startswith("RecursionError")
    assert len(failed.error.encode()) <= MAX_ERROR_BYTES


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        StopIteration(1),
        asyncio.CancelledError(),
    ],
)
@pytest.mark.parametrize("in_thread", [True, False])
async def test_no_exception_of_a_handler_reaches_the_engine(
    serve: Serve, error: BaseException, in_thread: bool
) -> None:
    def work(tenant_id: str | None, payload: dict[str, Any]) -> None:
        raise error

    async def async_work(tenant_id: str | None, payload: dict[str, Any]) -> None:
        raise error

    async with asyncio.timeout(10):
        failed = await serve.failure(work if in_thread else async_work)

    assert failed.retryable
    assert type(error).__name__ in failed.error


async def test_an_exception_while_being_cancelled_is_a_cancellation(serve: Serve) -> None:
    entered = asyncio.Event()

    async def work(tenant_id: str | None, payload: dict[str, Any], ctx: RunContext) -> None:
        try:
            entered.set()
            await asyncio.Event().wait()
        finally:
            raise OSError("cleaning up failed")

    serve.registry.register("work", work)
    delivery = asyncio.create_task(serve.target.deliver(claimed(HANDLER)))
    await entered.wait()
    delivery.cancel()

    with pytest.raises(asyncio.CancelledError):
        await delivery


@pytest.mark.parametrize("result", [0, "", False, [], {"a": [1, None]}, "x" * 1000, 1.5])
async def test_a_json_result_is_kept(serve: Serve, result: object) -> None:
    async def work(tenant_id: str | None, payload: dict[str, Any]) -> object:
        return result

    assert await serve(work) == Succeeded(result)


async def test_a_result_is_kept_as_it_was_when_the_handler_returned(serve: Serve) -> None:
    shared: dict[str, Any] = {"sent": 1}

    async def work(tenant_id: str | None, payload: dict[str, Any]) -> object:
        return shared

    outcome = await serve(work)
    shared["sent"] = {1, 2}

    assert outcome == Succeeded({"sent": 1})


def nested(levels: int) -> object:
    value: object = "deep"
    for _ in range(levels):
        value = [value]
    return value


class Explosive(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("dictionary changed size during iteration")

    def values(self) -> Any:
        raise RuntimeError("dictionary changed size during iteration")


@pytest.mark.parametrize(
    "result",
    [
        {1, 2},
        object(),
        float("nan"),
        "\ud800",
        "a\0b",
        "x" * MAX_JSON_BYTES,
        nested(100_000),
        Explosive(a=1),
        10**5000,
        Succeeded(),
    ],
    ids=lambda result: type(result).__name__,
)
async def test_a_result_that_cannot_be_stored_fails_for_good(serve: Serve, result: object) -> None:
    async def work(tenant_id: str | None, payload: dict[str, Any]) -> object:
        return result

    failed = await serve.failure(work)

    assert failed.error.startswith("the result of handler 'work' ")
    assert not failed.retryable
    assert len(failed.error.encode()) <= MAX_ERROR_BYTES


VERDICTS = [
    (Retry(timedelta(minutes=5), "busy"), Failed("busy", retry_after=timedelta(minutes=5))),
    (Retry(), Failed("asked for another try")),
    (Snooze(timedelta(hours=1)), Snoozed(timedelta(hours=1))),
    (Cancel("nothing to do"), Cancelled("nothing to do")),
    (Discard("no such customer"), Failed("no such customer", retryable=False)),
]


@pytest.mark.parametrize(("verdict", "outcome"), VERDICTS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize("raised", [False, True])
async def test_a_verdict_is_the_same_returned_or_raised_on_the_loop_or_in_a_thread(
    serve: Serve, verdict: Verdict, outcome: Outcome, *, threaded: bool, raised: bool
) -> None:
    def work(tenant_id: str | None, payload: dict[str, Any]) -> Verdict:
        if raised:
            raise verdict
        return verdict

    async def on_loop(tenant_id: str | None, payload: dict[str, Any]) -> Verdict:
        return work(tenant_id, payload)

    assert await serve(work if threaded else on_loop) == outcome
