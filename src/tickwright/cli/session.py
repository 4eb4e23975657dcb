"""One command's use of the scheduler: opened, used once, and let go of, whatever happens."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tickwright.cli.options import Place, Reach
from tickwright.model.scope import SYSTEM, Scope

if TYPE_CHECKING:
    from tickwright.bootstrap import Scheduler

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """A scheduler without an engine of its own, and for whom it is used."""

    scheduler: Scheduler
    scope: Scope
    actor: str


def in_session(reach: Reach, work: Callable[[Session], Awaitable[T]], *, opened: bool = True) -> T:
    """What `work` answers; `opened` sees to it that the schema is current before."""
    from tickwright.bootstrap import Scheduler
    from tickwright.cli import logs

    scheduler = Scheduler(reach.database_url)
    settings = scheduler.settings
    logs.configure(settings.log_level, only_problems=True)
    scope = reach.scope(settings.default_tenant) if isinstance(reach, Place) else SYSTEM
    return asyncio.run(_worked(Session(scheduler, scope, _actor()), work, opened=opened))


async def _worked(session: Session, work: Callable[[Session], Awaitable[T]], *, opened: bool) -> T:
    try:
        if opened:
            await session.scheduler.open()
        return await work(session)
    finally:
        await session.scheduler.stop()


def _actor() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"
