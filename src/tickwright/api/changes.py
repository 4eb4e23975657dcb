"""Changes: who changed which configuration, when and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from tickwright.api.auth import CurrentCaller
from tickwright.api.body import JsonRoute
from tickwright.api.errors import documented
from tickwright.api.wire import (
    Answer,
    JsonObject,
    Listed,
    Paging,
    ScopeAnswer,
    pagination,
    scope_answer,
)
from tickwright.model.change import Change

router = APIRouter(prefix="/changes", tags=["changes"], route_class=JsonRoute)


class ChangeFilters(Paging):
    """Which changes to list."""

    schedule: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        default=None, description="The id or the key of the schedule that was changed."
    )


class ChangeAnswer(Answer):
    """One change, with the configuration before and after it."""

    id: UUID | None
    scope: ScopeAnswer
    at: datetime
    actor: str | None
    action: str
    reason: str | None
    resource: str
    resource_id: UUID
    resource_key: str
    version: int
    before: JsonObject | None
    after: JsonObject | None


class ChangeList(Listed[ChangeAnswer]):
    """One page of changes, the newest first."""


@router.get("", responses=documented(404, 422))
async def list_changes(
    filters: Annotated[ChangeFilters, Query()], caller: CurrentCaller
) -> ChangeList:
    """List the changes, the newest first."""
    found = await caller.scheduler.changes(
        caller.scope, limit=filters.page_size, offset=filters.offset, ref=filters.schedule
    )
    data = [_answer(each) for each in found.items]
    return ChangeList(data=data, pagination=pagination(filters, found.total))


def _answer(change: Change) -> ChangeAnswer:
    return ChangeAnswer(
        id=change.id,
        scope=scope_answer(change.scope),
        at=change.at,
        actor=change.actor,
        action=change.action,
        reason=change.reason,
        resource=change.resource,
        resource_id=change.resource_id,
        resource_key=change.resource_key,
        version=change.version,
        before=None if change.before is None else dict(change.before),
        after=None if change.after is None else dict(change.after),
    )
