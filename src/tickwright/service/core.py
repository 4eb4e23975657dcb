"""What every part of the scheduler stands on: the engine, the database, the handlers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Self, TypeVar

from tickwright.engine.hooks import EndHook, StartHook
from tickwright.engine.runtime import Runtime
from tickwright.model.errors import InvalidInput, NotPossible, StoreUnavailable
from tickwright.model.json import JsonObject
from tickwright.service.status import Status, system_status
from tickwright.targets.base import Handlers

_log = logging.getLogger("tickwright.scheduler")
F = TypeVar("F", bound=Callable[..., Any])
_PATIENCE_SECONDS = 2.0


class Core:
    """Handlers, hooks and the life of one process's scheduler."""

    def __init__(
        self,
        runtime: Runtime,
        handlers: Handlers,
        *,
        auto_migrate: bool,
        default_timezone: str = "UTC",
    ) -> None:
        self._runtime = runtime
        self._handlers = handlers
        self._auto_migrate = auto_migrate
        self._default_timezone = default_timezone
        self._stopping = asyncio.Event()
        self._store = runtime.parts.store
        self._time = runtime.parts.time

    # Handlers and hooks

    def handler(self, name: str) -> Callable[[F], F]:
        """Serve job `name` with the decorated `fn(tenant_id, payload)` or `fn(…, ctx)`."""

        def decorate(fn: F) -> F:
            self.register_handler(name, fn)
            return fn

        return decorate

    def register_handler(self, name: str, fn: Callable[..., Any]) -> None:
        """Serve job `name` with `fn`, async or not; a second registration replaces the first."""
        self._handlers.register(name, fn)
        if self._runtime.running:
            self._runtime.serve()

    def on_run_start(self, hook: StartHook) -> StartHook:
        """Call `hook(run)` before each attempt; what it raises fails the attempt."""
        self._runtime.parts.hooks.on_start.append(hook)
        return hook

    def on_run_end(self, hook: EndHook) -> EndHook:
        """Call `hook(end)` after each attempt, before its ending is saved (at least once)."""
        self._runtime.parts.hooks.on_end.append(hook)
        return hook

    # Life

    async def open(self) -> None:
        """Reach the database and see that its schema is current (made so where allowed)."""
        if self._stopping.is_set():
            self._stopping = asyncio.Event()
        await self._store.open()
        if await self._store.upkeep.schema_is_current():
            return
        if not self._auto_migrate:
            raise NotPossible("the database schema is not current: run `tickwright db upgrade`")
        await self._store.upkeep.migrate()

    async def start(self) -> None:
        """Open, then plan and execute in this process until `stop`."""
        await self.open()
        await self._runtime.start()

    async def start_patiently(self) -> None:
        """Start, and while the database is away keep trying."""
        while True:
            try:
                await self.start()
            except StoreUnavailable as error:
                _log.warning("waiting for the database: %s", error)
                await asyncio.sleep(_PATIENCE_SECONDS)
            else:
                return

    async def stop(self) -> None:
        """Drain the engine if it runs, then let go of the database."""
        self._stopping.set()
        if self._runtime.running:
            await self._runtime.stop()
        await self._store.close()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self._store.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def migrate(self) -> None:
        """Bring the database schema to this version."""
        await self._store.open()
        await self._store.upkeep.migrate()

    async def status(self) -> Status:
        """Whether this process and its database are fit to work; never raises."""
        try:
            now: datetime | None = await self._time.now()
        except StoreUnavailable:
            now = None
        return await system_status(self._store, self._runtime, now)

    def _check_target(self, target: JsonObject) -> dict[str, Any]:
        if not isinstance(target, Mapping):
            raise InvalidInput("target", "must be a JSON object")
        kind = target.get("type")
        member = self._runtime.parts.targets.get(kind) if isinstance(kind, str) else None
        if member is None:
            known = ", ".join(self._runtime.parts.targets)
            raise InvalidInput("target.type", f"must be one of {known}")
        return member.check(target)
