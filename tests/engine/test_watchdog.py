"""A process whose event loop stands still ends itself; one that was itself frozen does not."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from tests.databases import LoopThread
from tickwright import Scheduler
from tickwright.engine.watchdog import EXIT_CODE, Standstill, Watchdog, watched

from .support import MINUTE, SECOND

EVERY = 3 * SECOND
SOON = timedelta(milliseconds=200)
PATIENCE = 20.0


class Stared:
    """A loop that answers or not, the standstill that looks at it, and the time that passes."""

    def __init__(self) -> None:
        self.passed = 1000.0
        self.answers = True
        self._asked: list[Callable[[], None]] = []
        self.standstill = Standstill(self._asked.append, EVERY, lambda: self.passed)

    def look(self, after: timedelta = EVERY) -> timedelta:
        """One look after some time in which the loop may have answered."""
        while self.answers and self._asked:
            self._asked.pop()()
        self.passed += after.total_seconds()
        return self.standstill.look()


@pytest.fixture
def stared() -> Stared:
    return Stared()


def test_a_loop_that_answers_does_not_stand_still(stared: Stared) -> None:
    assert {stared.look() for _ in range(1000)} == {timedelta(0)}


def test_standing_still_adds_up_from_look_to_look(stared: Stared) -> None:
    stared.look()
    stared.answers = False
    assert [stared.look() for _ in range(3)] == [EVERY, 2 * EVERY, 3 * EVERY]


def test_a_loop_that_answers_late_begins_anew(stared: Stared) -> None:
    stared.look()
    stared.answers = False
    for _ in range(15):
        stared.look()
    stared.answers = True
    assert stared.look() == timedelta(0)
    stared.answers = False
    assert [stared.look() for _ in range(2)] == [EVERY, 2 * EVERY]


def test_time_that_the_process_was_frozen_for_does_not_count(stared: Stared) -> None:
    """After SIGCONT the loop has had no chance to answer yet."""
    stared.look()
    stared.answers = False
    assert stared.look(after=60 * MINUTE) == EVERY
    assert stared.look(after=60 * MINUTE) == 2 * EVERY


def test_a_look_that_comes_early_counts_only_what_has_passed(stared: Stared) -> None:
    stared.look()
    stared.answers = False
    assert stared.look(after=SECOND) == SECOND


class Kennel:
    """A loop in a thread of its own with a watchdog whose bite is only noted."""

    def __init__(self, patience: timedelta = SOON) -> None:
        self._loop = LoopThread()
        self._go_on = threading.Event()
        self.bites: queue.Queue[int] = queue.Queue()

        async def kept() -> Watchdog:
            return Watchdog(patience, self.bites.put)

        self.watchdog = self._loop.run(kept())
        self.watchdog.start()

    def stand_still(self) -> None:
        async def hold_up_the_loop() -> None:
            self._go_on.wait(PATIENCE)

        threading.Thread(target=self._loop.run, args=(hold_up_the_loop(),), daemon=True).start()

    def close(self) -> None:
        self._go_on.set()
        self.watchdog.stop()
        self._loop.close()


@pytest.fixture
def kennel() -> Iterator[Kennel]:
    kept = Kennel()
    yield kept
    kept.close()


def test_a_loop_that_stands_still_ends_the_process_and_says_where(
    kennel: Kennel, caplog: pytest.LogCaptureFixture
) -> None:
    kennel.stand_still()
    assert kennel.bites.get(timeout=PATIENCE) == EXIT_CODE
    assert "has stood still" in caplog.text
    assert "hold_up_the_loop" in caplog.text


def test_a_log_that_is_held_up_as_well_does_not_save_it(
    kennel: Kennel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwright.engine.watchdog._LAST_WORDS_SECONDS", 0.1)
    handler = logging.StreamHandler()
    logging.getLogger("tickwright.watchdog").addHandler(handler)
    handler.acquire()
    try:
        kennel.stand_still()
        assert kennel.bites.get(timeout=PATIENCE) == EXIT_CODE
    finally:
        handler.release()
        logging.getLogger("tickwright.watchdog").removeHandler(handler)


def test_a_loop_that_goes_round_is_left_alone() -> None:
    kept = Kennel(SECOND)
    with pytest.raises(queue.Empty):
        kept.bites.get(timeout=1.5)
    kept.close()


def watchdogs() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "tickwright-watchdog"]


async def test_it_looks_on_only_inside_its_block() -> None:
    with watched(MINUTE):
        assert len(watchdogs()) == 1
    for thread in threading.enumerate():
        if thread.name == "tickwright-watchdog":
            await asyncio.to_thread(thread.join, PATIENCE)
    assert watchdogs() == []


async def test_no_time_is_no_watchdog() -> None:
    with watched(timedelta(0)):
        assert watchdogs() == []


async def test_a_host_application_has_none(sqlite_url: str) -> None:
    """Ending the process is not for a library to decide."""
    async with Scheduler(sqlite_url, watchdog_seconds=1):
        assert watchdogs() == []
