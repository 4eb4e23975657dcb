"""Seed 002's integration cases on real databases and in real time; the domain follows the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from tests.e2e.campaigns import ACME, CampaignApp
from tickwright import NotFound
from tickwright.model.clock import SystemClock

SOON = 0.7
PROMPTLY = 2


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[CampaignApp]:
    """An application that is not started yet, on a database of its own."""
    made = CampaignApp(database_url)
    yield made
    await made.stop()


async def soon() -> datetime:
    return await SystemClock().now() + timedelta(seconds=SOON)


async def test_a_campaign_scheduled_before_the_start_runs_at_its_time(app: CampaignApp) -> None:
    await app.open()
    scheduled_at = await soon()
    campaign = await app.create(scheduled_at)
    await app.start()
    await app.until(lambda: app.has_run(campaign), SOON + PROMPTLY)
    ((_, ran_at),) = app.executed
    assert timedelta(0) <= ran_at - scheduled_at < timedelta(seconds=PROMPTLY)


async def test_a_campaign_created_while_the_application_runs_runs_at_its_time(
    app: CampaignApp,
) -> None:
    await app.start()
    scheduled_at = await soon()
    campaign = await app.create(scheduled_at)
    await app.until(lambda: app.has_run(campaign), SOON + PROMPTLY)
    ((_, ran_at),) = app.executed
    assert timedelta(0) <= ran_at - scheduled_at < timedelta(seconds=PROMPTLY)


async def test_a_campaign_deleted_before_its_time_does_not_run(app: CampaignApp) -> None:
    await app.start()
    # Late enough that a slow machine, too, deletes it before its time.
    later = await soon() + timedelta(seconds=PROMPTLY)
    deleted, kept = await app.create(later), await app.create(later)
    await app.delete(deleted)
    await app.until(lambda: app.has_run(kept), SOON + 2 * PROMPTLY)
    await asyncio.sleep(0.3)
    assert not app.has_run(deleted)
    assert await app.status(deleted) is None
    with pytest.raises(NotFound):
        await app.scheduler.get_schedule(ACME, str(deleted))


async def test_a_campaign_whose_time_passed_while_the_application_was_down_runs_at_once(
    app: CampaignApp, database_url: str
) -> None:
    await app.open()
    missed = await app.create(await soon())
    long_past = await app.create(await SystemClock().now() - timedelta(hours=3))
    await app.stop()
    await asyncio.sleep(SOON + 0.1)
    again = CampaignApp(database_url)
    try:
        await again.start()
        await again.until(lambda: again.has_run(missed) and again.has_run(long_past), 1)
        await again.until(lambda: again.statuses.count("Completed") == 2, PROMPTLY)
    finally:
        await again.stop()
    assert len(again.executed) == 2


@pytest.mark.parametrize(("fails", "ending"), [(False, "Completed"), (True, "Failed")])
async def test_the_status_of_a_campaign_follows_its_run(
    app: CampaignApp, fails: bool, ending: str
) -> None:
    await app.start()
    campaign = await app.create(await soon(), fails=fails)
    assert await app.status(campaign) == "Scheduled"
    await app.until(lambda: ending in app.statuses, SOON + PROMPTLY)
    assert app.statuses == ["Running", ending]
    assert await app.status(campaign) == ending


async def test_a_campaign_whose_creation_is_rolled_back_leaves_no_schedule(
    app: CampaignApp,
) -> None:
    await app.start()
    never = await app.create_in_vain(await soon())
    campaign = await app.create(await soon())
    await app.until(lambda: app.has_run(campaign), SOON + PROMPTLY)
    assert not app.has_run(never)
    with pytest.raises(NotFound):
        await app.scheduler.get_schedule(ACME, str(never))
