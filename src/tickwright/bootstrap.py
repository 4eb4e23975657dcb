"""The only place that turns Settings into a running system and picks implementations."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tickwright.config import Settings
from tickwright.model.errors import InvalidInput
from tickwright.service.scheduler import Scheduler as Service

if TYPE_CHECKING:
    from tickwright.engine.runtime import Options, Parts
    from tickwright.model.clock import Clock
    from tickwright.model.json import JsonObject
    from tickwright.store.base import Store
    from tickwright.targets.base import Target
    from tickwright.targets.handler import HandlerRegistry


def package_version() -> str:
    try:
        return version("tickwright")
    except PackageNotFoundError:
        return "0"


def make_settings(**given: Any) -> Settings:
    """Settings from these and the environment; InvalidInput naming the first that is wrong."""
    from pydantic import ValidationError

    known = set(Settings.model_fields)
    unknown = [name for name in given if name not in known]
    if unknown:
        raise InvalidInput(unknown[0], "is not a known setting")
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise InvalidInput(name, first["msg"]) from None


class Scheduler(Service):
    """The scheduler wired from settings: `Scheduler("postgresql://…")`.

    Settings may be given by name (`slots=200`) and are otherwise read from the environment
    (`TICKWRIGHT_SLOTS`). `clock` replaces the database's, for tests.
    """

    def __init__(
        self, database_url: str | None = None, *, clock: Clock | None = None, **settings: Any
    ) -> None:
        from tickwright.engine.runtime import Runtime
        from tickwright.targets.handler import HandlerRegistry
        from tickwright.triggers.wallclock.zones import zone_of

        self.settings = make_settings(database_url=database_url, **settings)
        registry = HandlerRegistry()
        parts = _parts(self.settings, registry, clock, os.environ)
        migrate = self.settings.auto_migrate
        super().__init__(
            Runtime(parts, _options(self.settings)),
            registry,
            auto_migrate=parts.store.dialect == "sqlite" if migrate is None else migrate,
            default_timezone=zone_of(self.settings.default_timezone, "defaultTimezone").key,
        )
        if self.settings.calendars_path is not None:
            self._runtime.duties["calendars"] = self._calendar_files(self.settings.calendars_path)

    def _calendar_files(self, path: Path) -> Callable[[], Awaitable[timedelta]]:
        """What keeps the system's calendars as the files at `path` have them."""
        from tickwright.model.scope import SYSTEM
        from tickwright.service.calendar_files import CalendarFiles

        async def define(key: str, definition: JsonObject) -> None:
            await self.define_calendar(SYSTEM, key, definition, actor="file")

        async def today() -> date:
            return (await self._time.now()).date()

        return CalendarFiles(path, self._default_timezone, define, today).tick


def _options(settings: Settings) -> Options:
    from tickwright.engine.runtime import Options

    return Options(
        version=package_version(),
        queues=settings.queues,
        slots=settings.slots,
        poll=settings.poll,
        lease=settings.lease,
        sweep=timedelta(seconds=settings.sweep_seconds),
        grace=timedelta(seconds=settings.grace_seconds),
        keep_runs=timedelta(days=settings.retention_days),
        keep_last=settings.retention_runs,
    )


def _parts(
    settings: Settings,
    registry: HandlerRegistry,
    clock: Clock | None,
    environment: Mapping[str, str],
) -> Parts:
    from tickwright.dispatch.database import DatabaseDispatcher
    from tickwright.engine.hooks import Hooks
    from tickwright.engine.runtime import Parts
    from tickwright.engine.timekeeper import Timekeeper
    from tickwright.observe.base import Emitter
    from tickwright.observe.log import LogSubscriber
    from tickwright.store import open_store

    store = open_store(
        settings.database_url, clock=clock, pool_size=settings.pool_size, lease=settings.lease
    )
    emitter = Emitter()
    emitter.subscribe(LogSubscriber())
    own_time = {} if clock is None else {"monotonic": lambda: 0.0}
    return Parts(
        store=store,
        targets=_targets(settings, registry, environment),
        dispatcher=DatabaseDispatcher(store.queue.claim),
        handlers=lambda: registry.names,
        hooks=Hooks(),
        emitter=emitter,
        time=Timekeeper(store.clock, **own_time),
        open_store=_second_store(settings, clock),
    )


def _targets(
    settings: Settings, registry: HandlerRegistry, environment: Mapping[str, str]
) -> dict[str, Target]:
    from tickwright.targets.handler import HandlerTarget
    from tickwright.targets.http import HttpTarget, services_from_environment

    return {
        "handler": HandlerTarget(registry, threads=settings.threads or settings.slots),
        "http": HttpTarget(services_from_environment(environment)),
    }


def _second_store(settings: Settings, clock: Clock | None) -> Callable[[], Store] | None:
    """A store for the heartbeat's thread; a database in memory has only the one."""
    from tickwright.store import open_store, parse_url

    url = parse_url(settings.database_url)
    in_memory = url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")
    if in_memory:
        return None
    return lambda: open_store(settings.database_url, clock=clock, pool_size=1, lease=settings.lease)
