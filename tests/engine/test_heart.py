"""The heartbeat: renews the lease, brings back wishes to cancel, and knows when it is too late."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

import pytest

from tickwright.engine.heart import Heart
from tickwright.model.worker import Worker, WorkerStatus
from tickwright.store.database import new_id
from tickwright.testing import FakeClock

from .fakes import FakeWorkers
from .support import SECOND, START, within

LEASE = 45 * SECOND


class Chest:
    """A heart, the register it beats against, and the time that passes meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lease: timedelta = LEASE) -> None:
        self.passed = 1000.0
        monkeypatch.setattr("tickwright.engine.heart.monotonic", lambda: self.passed)
        self.workers, self.clock = FakeWorkers(), FakeClock(START)
        self.cancelled: list[UUID] = []
        self.lost: list[UUID] = []
        self.id = new_id()
        self.heart = Heart(self.worker, lease, self._cancel, self.lost.append)

    def _cancel(self, ids: Collection[UUID]) -> None:
        self.cancelled += ids

    def worker(self) -> Worker:
        return Worker(
            id=self.id,
            name="w",
            host="here",
            pid=1,
            version="0",
            queues=("default",),
            handlers=(),
            slots=1,
            status=WorkerStatus.ONLINE,
            started_at=START,
            heartbeat_at=START,
            lease_until=START,
        )

    def pass_by(self, seconds: float) -> None:
        self.passed += seconds

    async def beat(self) -> timedelta:
        delay: timedelta = await within(self.heart.beat(self.workers, self.clock))
        return delay


@pytest.fixture
def chest(monkeypatch: pytest.MonkeyPatch) -> Chest:
    return Chest(monkeypatch)


async def test_it_beats_every_ten_seconds_or_four_times_a_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await Chest(monkeypatch).beat() == 10 * SECOND
    assert await Chest(monkeypatch, 8 * SECOND).beat() == 2 * SECOND


async def test_it_brings_back_what_somebody_asked_to_cancel(chest: Chest) -> None:
    asked = [new_id(), new_id()]
    chest.workers.answer = asked
    await chest.beat()
    assert (chest.cancelled, chest.lost) == (asked, [])


async def test_a_worker_that_was_declared_offline_learns_it(chest: Chest) -> None:
    chest.workers.answer = None
    await chest.beat()
    assert chest.lost == [chest.id]


async def test_while_the_lease_lasts_a_missed_beat_is_only_tried_again_soon(chest: Chest) -> None:
    chest.workers.away = True
    for _ in range(35):
        assert timedelta(0) < await chest.beat() <= SECOND
        chest.passed += 1
    assert chest.lost == []
    chest.workers.away = False
    assert await chest.beat() == 10 * SECOND
    assert len(chest.workers.beats) == 1


async def test_it_gives_up_before_others_may_take_over(chest: Chest) -> None:
    chest.workers.away = True
    await chest.beat()
    chest.passed += 0.8 * LEASE.total_seconds()
    await chest.beat()
    assert chest.lost == [chest.id]
    await chest.beat()
    assert chest.lost == [chest.id]


async def test_a_lease_is_counted_from_before_the_beat_that_renewed_it(chest: Chest) -> None:
    chest.workers.meanwhile = lambda: chest.pass_by(10)
    await chest.beat()
    chest.workers.meanwhile = lambda: None
    chest.workers.away = True
    chest.pass_by(0.8 * LEASE.total_seconds() - 10 - 0.01)
    await chest.beat()
    assert chest.lost == []
    chest.passed += 0.02
    await chest.beat()
    assert chest.lost == [chest.id]


async def test_a_database_that_hangs_does_not_keep_it_from_giving_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chest = Chest(monkeypatch, timedelta(milliseconds=40))
    chest.workers.hangs = True
    chest.passed += 1
    await chest.beat()
    assert chest.lost == [chest.id]
