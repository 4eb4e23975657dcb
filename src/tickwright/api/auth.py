"""Who asks, and for whose scope: as long as nobody is identified, the configured one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from tickwright.model.scope import Scope
from tickwright.service.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class Caller:
    """What an operation works with: the scheduler, and on whose behalf it may be asked."""

    scheduler: Scheduler
    scope: Scope
    actor: str | None


async def current_scope(request: Request) -> Scope:
    scope: Scope = request.app.state.default_scope
    return scope


async def current_actor() -> str | None:
    return "api"


async def the_scheduler(request: Request) -> Scheduler:
    scheduler: Scheduler = request.app.state.scheduler
    return scheduler


async def _caller(
    scheduler: Annotated[Scheduler, Depends(the_scheduler)],
    scope: Annotated[Scope, Depends(current_scope)],
    actor: Annotated[str | None, Depends(current_actor)],
) -> Caller:
    return Caller(scheduler, scope, actor)


CurrentCaller = Annotated[Caller, Depends(_caller)]
TheScheduler = Annotated[Scheduler, Depends(the_scheduler)]
