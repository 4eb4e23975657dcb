"""Calendars: create, list, read, change, delete, ask about days, and import from iCalendar."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from tickwright.api.auth import CurrentCaller
from tickwright.api.body import IcsRoute, JsonRoute
from tickwright.api.calendar_wire import (
    CalendarAnswer,
    CalendarFilters,
    CalendarList,
    CalendarPatch,
    DayFilters,
    DayList,
    ImportFilters,
    NewCalendar,
    calendar_answer,
    day_list,
)
from tickwright.api.errors import documented
from tickwright.api.etag import IfMatch, mark, version_in
from tickwright.api.wire import pagination, path_to
from tickwright.model.calendar import Calendar

router = APIRouter(prefix="/calendars", tags=["calendars"], route_class=JsonRoute)

_BODY = (413, 415)
_ICS = {
    "requestBody": {"required": True, "content": {"text/calendar": {"schema": {"type": "string"}}}}
}
Key = Annotated[str, Path(alias="key", description="The key of the calendar.")]


@router.post("", status_code=HTTPStatus.CREATED, responses=documented(*_BODY, 409, 422))
async def create_calendar(
    body: NewCalendar, caller: CurrentCaller, request: Request, response: Response
) -> CalendarAnswer:
    """Create a calendar; one without any open day is refused."""
    calendar = await caller.scheduler.create_calendar(
        caller.scope, body.key, body.given("key"), actor=caller.actor
    )
    response.headers["Location"] = path_to(request, f"/calendars/{calendar.key}")
    return _answered(calendar, response)


@router.get("", responses=documented(422))
async def list_calendars(
    filters: Annotated[CalendarFilters, Query()], caller: CurrentCaller
) -> CalendarList:
    """List the calendars, own ones and the system's, in the order of their keys."""
    found = await caller.scheduler.find_calendars(
        caller.scope, limit=filters.page_size, offset=filters.offset, search=filters.search
    )
    data = [calendar_answer(calendar) for calendar in found.items]
    return CalendarList(data=data, pagination=pagination(filters, found.total))


@router.get("/{key}", responses=documented(404))
async def get_calendar(key: Key, caller: CurrentCaller, response: Response) -> CalendarAnswer:
    """Read a calendar, one's own or else the system's; its ETag is its version."""
    return _answered(await caller.scheduler.get_calendar(caller.scope, key), response)


@router.patch("/{key}", responses=documented(*_BODY, 404, 412, 422))
async def update_calendar(
    key: Key,
    body: CalendarPatch,
    caller: CurrentCaller,
    response: Response,
    if_match: IfMatch = None,
) -> CalendarAnswer:
    """Change parts of a calendar of one's own; a list is given as a whole."""
    calendar = await caller.scheduler.update_calendar(
        caller.scope, key, body.given(), version=version_in(if_match), actor=caller.actor
    )
    return _answered(calendar, response)


@router.delete("/{key}", status_code=HTTPStatus.NO_CONTENT, responses=documented(404, 412, 422))
async def delete_calendar(key: Key, caller: CurrentCaller, if_match: IfMatch = None) -> None:
    """Delete a calendar of one's own."""
    await caller.scheduler.delete_calendar(
        caller.scope, key, version=version_in(if_match), actor=caller.actor
    )


@router.get("/{key}/days", responses=documented(404, 422))
async def list_calendar_days(
    key: Key, filters: Annotated[DayFilters, Query()], caller: CurrentCaller
) -> DayList:
    """Tell of each day whether it is open, or why not."""
    days = await caller.scheduler.calendar_days(caller.scope, key, filters.from_, filters.to)
    return day_list(days)


async def import_calendar(
    key: Key,
    filters: Annotated[ImportFilters, Query()],
    request: Request,
    caller: CurrentCaller,
    response: Response,
) -> CalendarAnswer:
    """Take exceptions from the events of an iCalendar file, sent as text/calendar."""
    calendar = await caller.scheduler.import_calendar(
        caller.scope,
        key,
        await request.body(),
        kind=filters.kind,
        replace_all=filters.replace,
        actor=caller.actor,
    )
    return _answered(calendar, response)


router.add_api_route(
    "/{key}/import",
    import_calendar,
    methods=["POST"],
    responses=documented(*_BODY, 404, 409, 422),
    openapi_extra=_ICS,
    route_class_override=IcsRoute,
)


def _answered(calendar: Calendar, response: Response) -> CalendarAnswer:
    mark(response, calendar.version)
    return calendar_answer(calendar)
