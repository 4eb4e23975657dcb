"""Runs whose work is a Python callable of this process; however it ends, the engine goes on."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tickwright.model.errors import InvalidInput
from tickwright.model.json import JsonObject, checked_text, loads
from tickwright.model.run import Claimed, Failed, Outcome, Succeeded
from tickwright.model.storable import storable_tail, storable_text
from tickwright.model.verdict import Verdict
from tickwright.targets import capture
from tickwright.targets._fields import text_fields
from tickwright.targets.context import RunContext

log = logging.getLogger(__name__)

MAX_NAME_LENGTH = 100
MAX_ERROR_BYTES = 8 * 1024
_MAX_MESSAGE_BYTES = 2 * 1024
_MAX_FRAMES = 20
_DONE = Succeeded()


@dataclass(frozen=True, slots=True)
class Handler:
    """A callable, and what was found out about it when it was registered."""

    name: str
    fn: Callable[..., Any]
    takes_context: bool
    on_loop: bool


class HandlerRegistry:
    """The handlers this process serves, by name."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._names: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names in alphabetical order."""
        return self._names

    def register(self, name: str, fn: Callable[..., Any]) -> None:
        """Serve `name` with `fn(tenant_id, payload)` or `fn(tenant_id, payload, ctx)`.

        `fn` gets the context when its third positional parameter has no default or is called
        `ctx`. It may be async; one that is not runs in a thread.
        """
        _check_name("name", name)
        handler = Handler(name, fn, _takes_context(fn), _is_async(fn))
        if name in self._handlers:
            log.warning("handler %r is registered again; the newer callable serves it", name)
        self._handlers[name] = handler
        self._names = tuple(sorted(self._handlers))

    def find(self, name: object) -> Handler | None:
        return self._handlers.get(name) if isinstance(name, str) else None


class HandlerTarget:
    """Calls the handler that a target names.

    A thread cannot be stopped: when the delivery of a sync handler is cancelled, the callable
    goes on and keeps its thread until it returns, which `ctx.cancel_requested` asks it to do.
    """

    type = "handler"

    def __init__(self, registry: HandlerRegistry, *, threads: int = 32) -> None:
        self._registry = registry
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None

    def check(self, target: JsonObject) -> dict[str, Any]:
        (name,) = text_fields(target, self.type, "name")
        _check_name("target.name", name)
        return {"type": self.type, "name": name}

    async def open(self) -> None:
        capture.install()
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="tickwright-handler")

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    async def deliver(self, run: Claimed) -> Outcome:
        name = run.target.get("name")
        handler = self._registry.find(name)
        if handler is None:
            return Failed(f"no handler {name!r} is registered in this process")
        payload = _copied(run.payload) if run.payload else {}
        context = RunContext(run) if handler.takes_context else None
        given = (run.scope.tenant_id, payload)
        args = given if context is None else (*given, context)
        if run.report is not None:
            run.report.begin()
        listening = capture.begin(run.report)
        try:
            if handler.on_loop:
                result = await handler.fn(*args)
            else:
                result = await self._in_thread(handler.fn, args)
        # A handler's SystemExit or KeyboardInterrupt would end the whole process.
        except BaseException as error:
            if not _being_cancelled():
                return _ending(error)
            if context is not None:
                context.request_cancel()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise asyncio.CancelledError from error
        finally:
            capture.end(listening)
        return _DONE if result is None else _concluded(handler.name, result)

    async def _in_thread(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if self._pool is None:
            raise RuntimeError("the handler target is not open")
        call = self._pool.submit(contextvars.copy_context().run, _caught, fn, args)
        try:
            result = await asyncio.wrap_future(call)
        except asyncio.CancelledError:
            call.add_done_callback(_close_unawaited)
            raise
        return await result if inspect.isawaitable(result) else result


@dataclass(frozen=True, slots=True)
class _Raised:
    """What a thread brings back instead of an exception: a Future hangs on StopIteration."""

    outcome: Outcome


def _caught(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        return fn(*args)
    except BaseException as error:
        return _Raised(_ending(error))


def _close_unawaited(call: Future[Any]) -> None:
    """Nobody awaits the coroutine of a cancelled delivery, so it must be closed."""
    result = None if call.cancelled() else call.result()
    if inspect.iscoroutine(result):
        result.close()


def _concluded(name: str, result: object) -> Outcome:
    """The outcome with a copy of `result`: whoever else holds the object may still change it."""
    if isinstance(result, _Raised):
        return result.outcome
    if isinstance(result, Verdict):
        return result.outcome()
    try:
        return Succeeded(loads(checked_text("result", result)))
    except InvalidInput as error:
        reason = error.reason
    except Exception as error:
        reason = f"cannot be written as JSON: {type(error).__name__}"
    text = f"the result of handler {name!r} {reason}"
    return Failed(storable_text(text, MAX_ERROR_BYTES), retryable=False)


def _ending(error: BaseException) -> Outcome:
    return error.outcome() if isinstance(error, Verdict) else Failed(_described(error))


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _described(error: BaseException) -> str:
    """`ValueError: message` and the innermost frames, without the frame of this module."""
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    trace = traceback.TracebackException(type(error), error, frames, limit=-_MAX_FRAMES)
    head = "".join(trace.format_exception_only()).rstrip("\n")
    text = storable_text(head, _MAX_MESSAGE_BYTES) + "\n\n"
    return text + storable_tail("".join(trace.format()), MAX_ERROR_BYTES - len(text.encode()))


def _copied(payload: JsonObject) -> dict[str, Any]:
    return {key: _copied_value(value) for key, value in payload.items()}


def _copied_value(value: Any) -> Any:
    if isinstance(value, dict):
        return _copied(value)
    return [_copied_value(item) for item in value] if isinstance(value, list) else value


def _check_name(field: str, name: object) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise InvalidInput(field, f"must be a text of 1 to {MAX_NAME_LENGTH} characters")
    if not name.isprintable():
        raise InvalidInput(field, "must hold printable characters only")


def _is_async(fn: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(type(fn).__call__)


def _takes_context(fn: object) -> bool:
    """Whether `fn` wants three arguments; InvalidInput when it can take neither two nor three."""
    if not callable(fn):
        raise InvalidInput("handler", "must be callable")
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise InvalidInput("handler", "must not be a generator: calling it would do nothing")
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        raise InvalidInput("handler", "has no signature that can be read") from None
    positional = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    third = positional[2] if len(positional) > 2 else None
    wanted = third is not None and (third.default is third.empty or third.name == "ctx")
    try:
        signature.bind(*range(3 if wanted else 2))
    except TypeError as error:
        raise InvalidInput(
            "handler", f"must take (tenant_id, payload) or a third ctx: {error}"
        ) from None
    return wanted
