"""Calendars, windows and jitter, from the schedule to the run, on both stores."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tickwright import Conflict, InvalidInput, at, cron, every, tenant
from tickwright.model.run import RunStatus
from tickwright.model.scope import SYSTEM
from tickwright.testing import FakeClock, ManualScheduler

from .support import ACME, Work, outcomes, runs_of

SECOND, MINUTE, HOUR, DAY = (
    timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days")
)
FRIDAY = datetime(2026, 3, 13, 8, 0, tzinfo=UTC)
SUCCEEDED, SKIPPED, MISSED = RunStatus.SUCCEEDED, RunStatus.SKIPPED, RunStatus.MISSED
DAILY = cron("0 9 * * *")
WEEKDAYS: dict[str, Any] = {"timezone": "UTC", "weekdays": ["mon", "tue", "wed", "thu", "fri"]}
OFFICE: dict[str, Any] = {"calendars": ["office"]}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(FRIDAY)


@pytest.fixture
async def office(scheduler: ManualScheduler, work: Work) -> ManualScheduler:
    """Reports are served, and there is a calendar that is closed on weekends."""
    scheduler.register_handler("report", work)
    await scheduler.create_calendar(ACME, "office", WEEKDAYS)
    return scheduler


async def next_run(scheduler: ManualScheduler, key: str = "daily") -> datetime | None:
    return (await scheduler.get_schedule(ACME, key)).next_run_at


async def test_a_schedule_keeps_out_of_days_that_are_closed(
    office: ManualScheduler, work: Work
) -> None:
    await office.create_schedule(ACME, "report", DAILY, key="daily", **OFFICE)
    await office.advance(4 * DAY)
    assert work.times == [FRIDAY + HOUR, FRIDAY + HOUR + 3 * DAY]
    assert outcomes(await runs_of(office, "daily")) == [
        (SUCCEEDED, None, 1),
        (SKIPPED, "calendar", 2),
        (SUCCEEDED, None, 1),
    ]


async def test_the_next_run_that_is_shown_is_one_that_happens(office: ManualScheduler) -> None:
    await office.create_schedule(ACME, "report", DAILY, key="daily", **OFFICE)
    assert await next_run(office) == FRIDAY + HOUR
    await office.advance(2 * HOUR)
    assert await next_run(office) == FRIDAY + HOUR + 3 * DAY


async def test_payroll_runs_on_the_working_day_before_the_end_of_the_month(
    office: ManualScheduler, work: Work
) -> None:
    """31 May 2026 is a Sunday."""
    await office.create_schedule(
        ACME, "report", cron("0 8 L * *"), key="pay", on_closed="previous", **OFFICE
    )
    await office.advance(80 * DAY)
    runs = await runs_of(office, "pay")
    assert [f"{run.run_at:%d %b}" for run in runs] == ["31 Mar", "30 Apr", "29 May"]
    assert work.times == [run.nominal_at for run in runs]
    assert [run.started_at for run in runs] == [run.run_at for run in runs]
    assert runs[-1].nominal_at.day == 31


async def test_a_holiday_moves_to_the_next_day_and_folds_into_it(
    office: ManualScheduler, work: Work
) -> None:
    await office.create_schedule(ACME, "report", DAILY, key="daily", on_closed="next", **OFFICE)
    await office.advance(4 * DAY)
    assert [moment.weekday() for moment in work.times] == [4, 0]
    assert outcomes(await runs_of(office, "daily"))[1] == (MISSED, "coalesced", 2)


async def test_an_edit_of_a_calendar_moves_its_schedules_at_once(
    office: ManualScheduler, work: Work
) -> None:
    await office.create_schedule(ACME, "report", DAILY, key="daily", **OFFICE)
    await office.advance(2 * HOUR)
    opened = [{"kind": "open", "from": "2026-03-14", "name": "Sale"}]
    await office.update_calendar(ACME, "office", {"exceptions": opened})
    assert await next_run(office) == FRIDAY + HOUR + DAY
    await office.advance(DAY)
    assert len(work.times) == 2
    closed = [{"kind": "closed", "from": "2026-03-15", "to": "2026-03-20", "name": "Move"}]
    await office.update_calendar(ACME, "office", {"exceptions": closed})
    assert await next_run(office) == FRIDAY + HOUR + 10 * DAY


async def test_a_calendar_that_is_used_stays(office: ManualScheduler) -> None:
    await office.create_schedule(ACME, "report", DAILY, key="daily", **OFFICE)
    with pytest.raises(Conflict, match="daily"):
        await office.delete_calendar(ACME, "office")
    await office.update_schedule(ACME, "daily", calendars=[])
    await office.delete_calendar(ACME, "office")


async def test_one_s_own_calendar_stands_before_the_shared_one(office: ManualScheduler) -> None:
    """Sundays only, for everybody; and from Monday to Friday here."""
    sundays = {"timezone": "UTC", "weekdays": ["sun"]}
    await office.create_calendar(SYSTEM, "office", sundays)
    other = tenant("other")
    for scope in (ACME, other):
        await office.create_schedule(scope, "report", DAILY, key="daily", **OFFICE)
    assert await next_run(office) == FRIDAY + HOUR
    theirs = await office.get_schedule(other, "daily")
    assert theirs.next_run_at == FRIDAY + HOUR + 2 * DAY
    with pytest.raises(Conflict, match="daily"):
        await office.delete_calendar(SYSTEM, "office")
    await office.advance(3 * DAY)
    assert outcomes(await runs_of(office, "daily")) == [(SUCCEEDED, None, 1)]


async def test_a_calendar_that_nobody_knows_is_refused_by_its_place(
    office: ManualScheduler,
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await office.create_schedule(ACME, "report", DAILY, calendars=["office", "nowhere"])
    assert refused.value.field == "calendars.1"


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ({"calendars": "office"}, "calendars"),
        ({"calendars": ["office", "office"]}, "calendars"),
        ({"on_closed": "sometimes"}, "onClosed"),
        ({"window": "22-6"}, "window"),
        ({"window": "09:00-09:00"}, "window"),
        ({"outside_window": "wait"}, "outsideWindow"),
        ({"jitter": "a while"}, "jitter"),
        ({"jitter": "2d"}, "jitter"),
    ],
)
async def test_a_wrong_word_is_refused_by_its_name(
    office: ManualScheduler, option: Any, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await office.create_schedule(ACME, "report", DAILY, **option)
    assert refused.value.field == field


async def test_what_is_due_outside_its_window_waits_for_it_to_open(
    office: ManualScheduler, work: Work
) -> None:
    await office.create_schedule(
        ACME, "report", every("6h"), key="q", window="22:00-23:30", outside_window="defer"
    )
    await office.advance(DAY)
    folded, run = await runs_of(office, "q")
    assert outcomes([folded, run]) == [(MISSED, "coalesced", 1), (SUCCEEDED, None, 1)]
    assert f"{run.started_at:%d %H:%M}" == "13 22:00"


async def test_jitter_spreads_schedules_and_keeps_each_at_its_place(
    office: ManualScheduler, work: Work
) -> None:
    for n in range(20):
        await office.create_schedule(ACME, "report", DAILY, key=f"d{n}", jitter="30m")
    planned = {n: await next_run(office, f"d{n}") for n in range(20)}
    await office.advance(2 * HOUR)
    runs = {n: (await runs_of(office, f"d{n}"))[0] for n in range(20)}
    assert {n: run.run_at for n, run in runs.items()} == planned
    assert {run.nominal_at for run in runs.values()} == {FRIDAY + HOUR}
    assert len(set(planned.values())) > 15
    assert Counter(run.status for run in runs.values()) == {SUCCEEDED: 20}
    assert all(run.started_at == run.run_at for run in runs.values())


async def test_a_pause_skips_what_has_come_and_an_edit_fires_it(
    office: ManualScheduler, work: Work
) -> None:
    """An occurrence whose instant has passed is owed, although it is not due yet."""
    for key in ("paused", "edited"):
        await office.create_schedule(ACME, "report", DAILY, key=key, jitter="1h")
    first = min([await next_run(office, key) for key in ("paused", "edited")], key=str)
    assert first is not None
    await office.advance((first - FRIDAY) - SECOND)
    await office.pause_schedule(ACME, "paused")
    await office.update_schedule(ACME, "edited", trigger=cron("0 12 * * *"), jitter="0s")
    assert outcomes(await runs_of(office, "paused")) == [(SKIPPED, "paused", 1)]
    await office.advance(2 * HOUR)
    assert outcomes(await runs_of(office, "edited")) == [(SUCCEEDED, None, 1)]
    assert len(work.times) == 1


async def test_a_missed_moved_occurrence_is_made_up_for_like_any_other(
    office: ManualScheduler, clock: FakeClock, work: Work
) -> None:
    await office.create_schedule(ACME, "report", DAILY, key="daily", **OFFICE)
    clock.advance(3 * DAY + 5 * HOUR)
    await office.tick()
    assert outcomes(await runs_of(office, "daily")) == [
        (MISSED, "coalesced", 1),
        (SKIPPED, "calendar", 2),
        (SUCCEEDED, None, 1),
    ]


async def test_a_single_time_on_a_closed_day_moves_too(office: ManualScheduler, work: Work) -> None:
    saturday = at(FRIDAY + DAY)
    await office.create_schedule(ACME, "report", saturday, key="one", on_closed="next", **OFFICE)
    await office.advance(4 * DAY)
    [run] = await runs_of(office, "one")
    assert (run.run_at, run.started_at) == (FRIDAY + 3 * DAY, FRIDAY + 3 * DAY)
    assert (await office.get_schedule(ACME, "one")).status == "completed"
