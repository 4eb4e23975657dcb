"""The commands' JSON is the REST API's, field by field."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tickwright.api.run_wire import run_answer
from tickwright.api.schedule_wire import schedule_answer
from tickwright.bootstrap import Scheduler
from tickwright.cli.shapes import run_json, schedule_json
from tickwright.model.schedule import Health
from tickwright.model.scope import tenant
from tickwright.service.sync import SyncScheduler
from tickwright.triggers.cron import cron
from tickwright.triggers.interval import every

ACME = tenant("acme")


@pytest.fixture
def scheduler(sqlite_url: str) -> Iterator[SyncScheduler]:
    front = SyncScheduler(Scheduler(sqlite_url))
    front.open()
    yield front
    front.stop()


def test_a_schedule(scheduler: SyncScheduler) -> None:
    scheduler.create_schedule(
        ACME, "report", cron("0 9 * * 1"), key="weekly", payload={"a": 1}, max_runs=3
    )
    schedule = scheduler.update_schedule(ACME, "weekly", trigger=every("15m"), name="Name")
    answer = schedule_answer(schedule, Health.OK).model_dump(mode="json", by_alias=True)
    assert schedule_json(schedule, Health.OK) == answer


def test_a_run(scheduler: SyncScheduler) -> None:
    scheduler.create_schedule(ACME, "report", cron("0 9 * * 1"), key="weekly")
    run = scheduler.trigger_schedule(ACME, "weekly", triggered_by="me", request_key="once")
    assert run_json(run) == run_answer(run).model_dump(mode="json", by_alias=True)
