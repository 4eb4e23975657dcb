"""Processes whose event loop stands still end themselves; frozen ones go on where they were."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import stuck_app
from tests.faults.conftest import StartEngine
from tests.faults.ledger import Wanted, assert_counted, coming_second, fill, ledger_when
from tests.faults.world.processes import Process, command_line, until
from tickwright import at
from tickwright.engine.watchdog import EXIT_CODE

PATIENCE_SECONDS = 1.5
LEASE_SECONDS = 2.0
StartStuck = Callable[[str], Process]


@pytest.fixture
def start_stuck(tmp_path: Path) -> Iterator[StartStuck]:
    """Starts a `tickwright worker` on a database whose handler holds up the loop."""
    started: list[Process] = []

    def start(url: str) -> Process:
        args = command_line("worker", "--app", f"{stuck_app.__name__}:scheduler")
        environment = {
            "TICKWRIGHT_DATABASE_URL": url,
            "TICKWRIGHT_WATCHDOG_SECONDS": str(PATIENCE_SECONDS),
            "TICKWRIGHT_LEASE_SECONDS": str(LEASE_SECONDS),
            "TICKWRIGHT_SWEEP_SECONDS": "0.5",
        }
        started.append(Process("stuck", args, tmp_path, environment, doomed=True))
        return started[-1]

    yield start
    for process in started:
        process.end()


async def hold_up(url: str, seconds: float) -> None:
    instant = await coming_second(0)
    await fill(url, [Wanted("acme", at(instant), instant, {"hold_up": seconds})])


async def test_a_process_whose_loop_stands_still_ends_itself_and_its_run_is_taken_over(
    postgres_url: str, start_stuck: StartStuck, start_engine: StartEngine
) -> None:
    stuck = start_stuck(postgres_url)
    await stuck.says("the engine runs")
    await hold_up(postgres_url, 60)
    await stuck.says(stuck_app.HELD_UP)
    other = start_engine(postgres_url, lease_seconds=LEASE_SECONDS, sweep_seconds=0.5)
    await until(lambda: not stuck.alive, 4 * PATIENCE_SECONDS, "it ends itself")
    assert stuck.code == EXIT_CODE
    assert "has stood still" in stuck.log
    assert "hold_up_the_loop" in stuck.log
    await until(lambda: other.runs("ended"), 4 * LEASE_SECONDS, "the other takes over")
    ledger = await ledger_when(postgres_url, lambda rows: rows.spent, 10, "all have ended")
    (run,) = ledger.runs
    assert (run.status, run.lost_count) == ("succeeded", 1)
    assert_counted(ledger)


async def test_a_frozen_process_does_not_take_itself_for_stuck(
    postgres_url: str, start_stuck: StartStuck
) -> None:
    process = start_stuck(postgres_url)
    await process.says("the engine runs")
    for _ in range(2):
        process.freeze()
        await asyncio.sleep(2 * PATIENCE_SECONDS)
        process.thaw()
        await asyncio.sleep(0.2)
    await hold_up(postgres_url, 0)
    await process.says(stuck_app.HELD_UP)
    assert process.alive
