"""Schedules on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from tickwright.api.wire import (
    Answer,
    Body,
    JsonObject,
    Listed,
    OptionalMoment,
    Paging,
    Reason,
    ScopeAnswer,
    milliseconds,
    scope_answer,
)
from tickwright.model.durations import duration_text
from tickwright.model.errors import TickwrightError
from tickwright.model.schedule import Health, Misfire, Overlap, Schedule, ScheduleStatus
from tickwright.model.timing import MAX_CALENDARS, OnClosed, OutsideWindow, Timing
from tickwright.service.options import (
    MAX_DESCRIPTION,
    MAX_KEY,
    MAX_LINE,
    MAX_NAME,
    camel,
    check_trigger,
)

Trigger = Annotated[
    JsonObject,
    Field(
        description="When it happens: an object whose `type` says which kind of rule it is.",
        examples=[
            {"type": "cron", "expression": "0 9 * * 1-5", "timezone": "Europe/Berlin"},
            {"type": "cron", "expression": "H 2 31 * *", "dstGap": "shift", "monthEnd": "clamp"},
            {"type": "interval", "every": "15m"},
            {"type": "one_shot", "at": "2026-03-01T09:00:00Z"},
            {"type": "one_shot", "at": "2026-03-01T09:00:00", "timezone": "Europe/Berlin"},
            {
                "type": "rrule",
                "rule": "FREQ=MONTHLY;BYMONTHDAY=-1",
                "start": "2026-01-31T09:00:00",
                "timezone": "Europe/Berlin",
                "exdates": ["2026-12-31T09:00:00"],
            },
        ],
    ),
]
Target = Annotated[
    JsonObject,
    Field(
        description="What a run does; without it the handler named like `jobKey` is called.",
        examples=[
            {"type": "handler", "name": "campaign.execute"},
            {"type": "http", "service": "email-service", "endpoint": "/api/jobs/weekly-digest"},
        ],
    ),
]
# Texts on the wire become these words; strictness would ask for the Python objects.
MisfireWord = Annotated[Misfire, Field(strict=False)]
OverlapWord = Annotated[Overlap, Field(strict=False)]
ShortText = Annotated[str, Field(max_length=MAX_NAME)]
LongText = Annotated[str, Field(max_length=MAX_DESCRIPTION)]
Count = Annotated[int, Field(ge=1, lt=2**62)]
CalendarKey = Annotated[str, Field(min_length=1, max_length=MAX_KEY)]
OnClosedWord = Annotated[OnClosed, Field(strict=False)]
OutsideWord = Annotated[OutsideWindow, Field(strict=False)]
Sort = Literal[
    "createdAt",
    "-createdAt",
    "key",
    "-key",
    "name",
    "-name",
    "nextRunAt",
    "-nextRunAt",
    "lastRunAt",
    "-lastRunAt",
]


class _Options(Body):
    """What creating and changing have in common; what is absent is left as it is."""

    payload: JsonObject = Field(default={}, description="What the run is given to work with.")
    starts_at: OptionalMoment = Field(default=None, description="No occurrence before this moment.")
    ends_at: OptionalMoment = Field(default=None, description="No occurrence after this moment.")
    max_runs: Count | None = Field(default=None, description="How often it fires at most.")
    misfire: MisfireWord = Field(
        default=Misfire.FIRE_ONCE, description="What becomes of occurrences that were missed."
    )
    overlap: OverlapWord = Field(
        default=Overlap.SKIP, description="What becomes of an occurrence while a run is still open."
    )
    overlap_limit: Annotated[int, Field(ge=1, le=MAX_LINE)] = Field(
        default=1, description="How many runs may wait for the open one, under `queue`."
    )
    allow_manual: bool = Field(
        default=True, description="false: it runs by its rule only, and never by hand."
    )
    calendars: list[CalendarKey] = Field(
        default=[], max_length=MAX_CALENDARS, description="Open is what all of them have open."
    )
    on_closed: OnClosedWord = Field(
        default=OnClosed.SKIP, description="What becomes of an occurrence on a closed day."
    )
    window: Annotated[str, Field(max_length=11, examples=["22:00-06:00"])] | None = Field(
        default=None, description="The time of day in which it may happen, on its trigger's clock."
    )
    outside_window: OutsideWord = Field(
        default=OutsideWindow.SKIP, description="What becomes of an occurrence outside it."
    )
    jitter: Annotated[str, Field(max_length=32, examples=["5m"])] = Field(
        default="0s",
        description="Up to how long each occurrence is delayed, the same each time it is asked.",
    )
    enabled: bool = Field(default=True, description="false: paused.")
    name: ShortText | None = None
    description: LongText | None = None
    category: ShortText | None = None
    metadata: JsonObject = Field(default={})

    def given(self, *without: str) -> dict[str, Any]:
        """What the caller said, by option name."""
        return {name: getattr(self, name) for name in self.model_fields_set if name not in without}


class NewSchedule(_Options):
    """A schedule to create."""

    key: Annotated[str, Field(min_length=1, max_length=MAX_KEY)] | None = Field(
        default=None, description="A name for people, unique in its scope; made up when absent."
    )
    job_key: str = Field(min_length=1, max_length=MAX_KEY, description="The kind of work it does.")
    trigger: Trigger
    target: Target = Field(default_factory=dict)
    past: Literal["refuse", "run_now"] = Field(
        default="refuse", description="What becomes of a single time that lies in the past."
    )


def _no_defaults(schema: JsonObject) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class SchedulePatch(_Options):
    """What to change of a schedule; what is absent stays."""

    model_config = ConfigDict(json_schema_extra=_no_defaults)

    trigger: Trigger = Field(default_factory=dict)
    target: Target = Field(default_factory=dict)


class Why(Body):
    """Why it is done, kept with the change."""

    reason: Reason | None = None


class TriggerRequest(Body):
    """How to run a schedule's job now."""

    payload: JsonObject | None = Field(
        default=None, description="Replaces the schedule's payload for this run."
    )
    request_id: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        default=None, description="The same id answers with the run it made before."
    )
    force: bool = Field(default=False, description="Run it although the schedule is not active.")


class ScheduleFilters(Paging):
    """Which schedules to list."""

    status: ScheduleStatus | None = None
    enabled: bool | None = Field(
        default=None, description="true: the active ones; false: the paused."
    )
    job_key: Annotated[str, Field(max_length=MAX_KEY)] | None = None
    category: ShortText | None = None
    search: ShortText | None = Field(
        default=None, description="A part of the key, the name or the description, in any case."
    )
    sort: Sort = Field(
        default="-createdAt", description="The field to sort by; `-` turns it around."
    )


class ScheduleAnswer(Answer):
    """A schedule as it is in force, with its counters."""

    id: UUID
    key: str
    scope: ScopeAnswer
    job_key: str
    trigger: JsonObject
    trigger_text: str | None = Field(description="The trigger in plain English.")
    target: JsonObject
    payload: JsonObject
    starts_at: datetime | None
    ends_at: datetime | None
    max_runs: int | None
    misfire: Misfire
    overlap: Overlap
    overlap_limit: int
    calendars: list[str]
    on_closed: OnClosed
    window: str | None
    outside_window: OutsideWindow
    jitter: str
    allow_manual: bool
    status: ScheduleStatus
    status_reason: str | None
    enabled: bool
    health: Health
    next_run_at: datetime | None
    fired_count: int
    run_count: int
    success_count: int
    failure_count: int
    last_run_at: datetime | None
    last_success_at: datetime | None
    last_status: str | None
    last_duration_ms: int | None
    name: str | None
    description: str | None
    category: str | None
    source: str
    created_by: str | None
    metadata: JsonObject
    registered: JsonObject = Field(description="What was declared, by group.")
    override: JsonObject = Field(description="The groups that somebody changed since.")
    version: int
    created_at: datetime
    updated_at: datetime


class ScheduleList(Listed[ScheduleAnswer]):
    """One page of schedules."""


def schedule_answer(schedule: Schedule, health: Health) -> ScheduleAnswer:
    stats = schedule.stats
    return ScheduleAnswer(
        id=schedule.id,
        key=schedule.key,
        scope=scope_answer(schedule.scope),
        job_key=schedule.job_key,
        trigger=dict(schedule.trigger),
        trigger_text=_in_words(schedule),
        target=dict(schedule.target),
        payload=dict(schedule.payload),
        starts_at=schedule.starts_at,
        ends_at=schedule.ends_at,
        max_runs=schedule.max_runs,
        misfire=schedule.misfire,
        overlap=schedule.overlap,
        overlap_limit=schedule.overlap_limit,
        **_timing(schedule),
        allow_manual=schedule.allow_manual,
        status=schedule.status,
        status_reason=schedule.status_reason,
        enabled=schedule.status is ScheduleStatus.ACTIVE,
        health=health,
        next_run_at=schedule.next_run_at,
        fired_count=schedule.cursor.fired_count,
        run_count=stats.run_count,
        success_count=stats.success_count,
        failure_count=stats.failure_count,
        last_run_at=stats.last_run_at,
        last_success_at=stats.last_success_at,
        last_status=stats.last_status,
        last_duration_ms=milliseconds(stats.last_duration),
        name=schedule.name,
        description=schedule.description,
        category=schedule.category,
        source=schedule.source,
        created_by=schedule.created_by,
        metadata=dict(schedule.metadata),
        registered=_layer(schedule.registered),
        override=_layer(schedule.override),
        version=schedule.version,
        created_at=schedule.created_at,
        updated_at=schedule.updated_at,
    )


def _timing(schedule: Schedule) -> dict[str, Any]:
    timing = schedule.timing or Timing()
    return {
        "calendars": list(timing.calendars),
        "on_closed": timing.on_closed,
        "window": timing.window and str(timing.window),
        "outside_window": timing.outside_window,
        "jitter": duration_text(timing.jitter),
    }


def _in_words(schedule: Schedule) -> str | None:
    try:
        return check_trigger(schedule.trigger).describe()
    except TickwrightError:
        return None


def _layer(layer: Mapping[str, Any]) -> JsonObject:
    return {
        group: {camel(name): value for name, value in values.items()}
        for group, values in layer.items()
    }
