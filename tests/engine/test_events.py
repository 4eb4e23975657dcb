"""What is told: each thing once, in order, after it happened, and to nobody's harm."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tickwright import NotPossible, at, cron, every
from tickwright.model import event as names
from tickwright.model.event import ALIASES, Event
from tickwright.observe.base import Emitter
from tickwright.testing import FakeClock, ManualScheduler

from .support import ACME, DAY, HOUR, START, Heard, Work, listen, under_way


async def test_a_run_is_told_from_its_start_to_its_end(
    quick: ManualScheduler, heard: Heard, work: Work
) -> None:
    quick.register_handler("report", work)
    schedule = await quick.create_schedule(ACME, "report", at(START), key="once")
    await quick.tick()
    assert heard.names("run.") == ["run.started", "run.succeeded"]
    for event in heard.of("run.started") + heard.of("run.succeeded"):
        assert (event.scope, event.at) == (ACME, START)
        assert event.data["runId"] == str(work.calls[0].run_id)
        assert event.data["scheduleId"] == str(schedule.id)
        assert (event.data["schedule"], event.data["attempt"]) == ("once", 1)


async def test_a_start_is_told_before_the_work_and_an_end_only_once_it_is_stored(
    quick: ManualScheduler, heard: Heard, work: Work
) -> None:
    quick.register_handler("report", work)
    await quick.create_schedule(ACME, "report", at(START), key="once")
    async with under_way(quick, work):
        assert heard.names("run.") == ["run.started"]
    assert heard.names("run.") == ["run.started", "run.succeeded"]


async def test_every_change_of_a_schedule_is_told_once(
    quick: ManualScheduler, heard: Heard
) -> None:
    made = await quick.create_schedule(ACME, "report", every("1h"), key="k", actor="ada")
    await quick.pause_schedule(ACME, "k", actor="bob")
    await quick.resume_schedule(ACME, "k")
    await quick.update_schedule(ACME, "k", trigger=cron("0 9 * * *"))
    await quick.cancel_schedule(ACME, "k")
    await quick.delete_schedule(ACME, "k")
    assert heard.names("schedule.") == [
        f"schedule.{what}"
        for what in ("created", "disabled", "enabled", "updated", "cancelled", "deleted")
    ]
    assert [event.data["actor"] for event in heard.events[:2]] == ["ada", "bob"]
    for event in heard.events:
        assert (event.scope, event.data["scheduleId"]) == (ACME, str(made.id))
        assert event.data["schedule"] == "k"


async def test_what_changes_nothing_is_not_told(quick: ManualScheduler, heard: Heard) -> None:
    await quick.register(ACME, "k", "report", every("1h"))
    await quick.register(ACME, "k", "report", every("1h"))
    await quick.pause_schedule(ACME, "k")
    await quick.pause_schedule(ACME, "k")
    await quick.cancel_schedule(ACME, "unknown")
    assert await quick.unregister(ACME, "unknown") is False
    await quick.cancel_schedule(ACME, "k")
    await quick.cancel_schedule(ACME, "k")
    with pytest.raises(NotPossible):
        await quick.resume_schedule(ACME, "k")
    assert heard.names("schedule.") == [
        "schedule.created",
        "schedule.disabled",
        "schedule.cancelled",
    ]


async def test_a_registration_is_told_as_created_and_then_as_updated(
    quick: ManualScheduler, heard: Heard
) -> None:
    await quick.register(ACME, "k", "report", every("1h"))
    await quick.register(ACME, "k", "report", every("2h"))
    assert heard.names("schedule.") == ["schedule.created", "schedule.updated"]


async def test_occurrences_without_a_run_are_told_with_their_reason(
    quick: ManualScheduler, heard: Heard, clock: FakeClock
) -> None:
    await quick.create_schedule(ACME, "report", every("1h"), key="k")
    clock.advance(3 * HOUR)
    await quick.tick()
    clock.advance(HOUR)
    await quick.tick()
    [missed], [skipped] = heard.of("run.missed"), heard.of("run.skipped")
    assert missed.data["reason"] == "coalesced"
    assert (missed.data["count"], missed.data["nominalAt"], missed.data["throughAt"]) == (
        2,
        "2040-01-02T10:00:00Z",
        "2040-01-02T11:00:00Z",
    )
    assert (skipped.data["reason"], skipped.data["count"]) == ("overlap", 1)
    assert skipped.data["nominalAt"] == "2040-01-02T13:00:00Z"
    assert skipped.data["schedule"] == "k"


async def test_workers_are_told_when_they_come(sqlite_url: str, clock: FakeClock) -> None:
    scheduler = ManualScheduler(sqlite_url, clock=clock)
    heard = listen(scheduler)
    async with scheduler:
        [event] = heard.of("worker.registered")
        assert event.data["workerId"] == str(scheduler._runtime.worker_id)


async def test_a_listener_that_fails_harms_neither_the_run_nor_other_listeners(
    quick: ManualScheduler, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Heard):
        """Raises at whatever it hears."""

        def receive(self, event: Event) -> None:
            raise ValueError("boom")

    quick._runtime.parts.emitter.subscribe(Failing())
    heard = listen(quick)
    quick.register_handler("report", work)
    await quick.create_schedule(ACME, "report", at(START), key="once")
    await quick.tick()
    assert heard.names() == ["schedule.created", "run.started", "run.succeeded"]
    assert "a subscriber failed on scheduler.run.started" in caplog.text


def test_only_those_who_want_an_event_get_it_and_only_as_long_as_they_listen() -> None:
    class Choosy(Heard):
        """Wants ends only."""

        def wants(self, name: str) -> bool:
            return name == names.RUN_SUCCEEDED

    emitter, choosy, all_ears = Emitter(), Choosy(), Heard()
    stop = emitter.subscribe(choosy)
    assert emitter.wanted(names.RUN_STARTED) is False
    emitter.subscribe(all_ears)
    for name in (names.RUN_STARTED, names.RUN_SUCCEEDED):
        emitter.emit(Event(name, START))
    stop()
    emitter.emit(Event(names.RUN_SUCCEEDED, START))
    assert choosy.names() == ["run.succeeded"]
    assert all_ears.names() == ["run.started", "run.succeeded", "run.succeeded"]


def test_the_older_names_stand_for_the_same_events() -> None:
    assert dict(ALIASES) == {
        "scheduler.job.started": "scheduler.run.started",
        "scheduler.job.completed": "scheduler.run.succeeded",
        "scheduler.job.failed": "scheduler.run.failed",
        "scheduler.job.skipped": "scheduler.run.skipped",
    }


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        (logging.DEBUG, {"run.started", "run.succeeded", "schedule.created", "run.missed"}),
        (logging.INFO, {"schedule.created", "run.missed"}),
        (logging.WARNING, {"run.missed"}),
    ],
)
async def test_events_are_log_lines_of_fitting_levels(
    quick: ManualScheduler, work: Work, caplog: pytest.LogCaptureFixture, level: int, seen: Any
) -> None:
    quick.register_handler("report", work)
    with caplog.at_level(level, "tickwright.events"):
        await quick.create_schedule(ACME, "report", every("1h"), key="k")
        quick.clock.advance(DAY)
        await quick.tick()
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("events")]
    assert {line.split()[0].removeprefix("scheduler.") for line in lines} == seen
    assert all("scope=acme" in line for line in lines)
