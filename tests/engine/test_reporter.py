"""What runs tell is buffered, bounded, and written before their endings; in vain it is let go."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tickwright.engine import reporter as module
from tickwright.engine.reporter import SPAN, Reporter, RunReport
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.errors import StoreUnavailable
from tickwright.model.report import MAX_LINES, MAX_LOG_BYTES, Level, Report
from tickwright.model.run import Claimed, Items, Progress
from tickwright.store.database import new_id
from tickwright.testing import FakeClock

from .fakes import FakeReporting, claimed
from .support import START


class Bench:
    """A reporter on a monotonic clock that stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 1000.0
        monkeypatch.setattr(module, "monotonic", lambda: self.passed)
        self.store = FakeReporting()
        self.woken = 0
        self.reporter = Reporter(self.store, Timekeeper(FakeClock(START), lambda: 0.0))
        self.reporter.wake = self._wake

    def _wake(self) -> None:
        self.woken += 1

    def open(self, **changes: Any) -> RunReport:
        run = claimed(new_id())
        for name, value in changes.items():
            setattr(run, name, value)
        return self.reporter.open(run)

    @property
    def saved(self) -> list[Report]:
        return self.store.saved

    @property
    def texts(self) -> list[str]:
        """The lines that the store would hold by now."""
        held: dict[tuple[UUID, int], str] = {}
        for report in self.saved:
            held |= {(report.run_id, line.seq): line.text for line in report.lines}
            for run_id, seq in list(held):
                if run_id == report.run_id and seq < (report.keep_from or 0):
                    del held[run_id, seq]
        return [held[key] for key in sorted(held)]


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def say(report: RunReport, *texts: str) -> None:
    for text in texts:
        report.log(Level.INFO, text)


async def test_who_tells_nothing_is_neither_woken_for_nor_written(bench: Bench) -> None:
    report = bench.open()
    report.begin()
    report.heartbeat()
    await bench.reporter.tick()
    await bench.reporter.flush_of([report.run])
    assert (bench.woken, bench.saved) == (0, [])


async def test_what_all_runs_told_is_written_at_once(bench: Bench) -> None:
    one, two = bench.open(), bench.open()
    say(one, "a")
    one.progress(1, 2, "half")
    say(two, "b")
    two.items(3, None, 1)
    two.items(None, 2, None)
    assert bench.woken == 1
    await bench.reporter.tick()
    assert [report.run_id for report in bench.saved] == [one.run.id, two.run.id]
    first, second = bench.saved
    stamp = first.lines[0].at
    assert first.progress == Progress(1, 2, "half", stamp)
    assert (second.items, second.progress) == (Items(3, 2, 1), None)
    assert [line.seq for line in first.lines] == [SPAN + 1]
    await bench.reporter.tick()
    assert len(bench.saved) == 2


async def test_it_writes_at_most_four_times_a_second(bench: Bench) -> None:
    report = bench.open()
    for number in range(100):
        report.progress(number, None, None)
        await bench.reporter.tick()
        bench.passed += 0.01
    assert 4 <= len(bench.saved) <= 5
    report.progress(99.5, None, None)
    await bench.reporter.flush()
    report.progress(100, None, None)
    waits = await bench.reporter.tick()
    assert timedelta(0) < waits <= module.EVERY
    bench.passed += 0.25
    await bench.reporter.tick()
    assert bench.saved[-1].progress is not None
    assert bench.saved[-1].progress.done == 100


async def test_of_a_long_log_the_newest_lines_are_kept(bench: Bench) -> None:
    report = bench.open()
    say(report, *(f"{number}" for number in range(MAX_LINES + 20)))
    await bench.reporter.flush()
    assert len(bench.saved[-1].lines) == MAX_LINES
    assert (bench.saved[-1].dropped, bench.saved[-1].keep_from) == (20, None)
    say(report, "more", "and more")
    await bench.reporter.flush()
    assert bench.texts == [f"{number}" for number in range(22, MAX_LINES + 20)] + [
        "more",
        "and more",
    ]
    assert bench.saved[-1].dropped == 22
    say(report, *(f"again {number}" for number in range(3 * MAX_LINES)))
    await bench.reporter.flush()
    assert bench.texts == [f"again {number}" for number in range(2 * MAX_LINES, 3 * MAX_LINES)]


async def test_a_log_is_bounded_by_its_size_too(bench: Bench) -> None:
    report = bench.open()
    for _ in range(3):
        say(report, *("ä" * 2000 for _ in range(20)))
        await bench.reporter.flush()
        assert sum(len(text.encode()) for text in bench.texts) <= MAX_LOG_BYTES
    assert len(bench.texts) == MAX_LOG_BYTES // 4000
    assert bench.saved[-1].dropped == 60 - len(bench.texts)


async def test_an_attempt_that_begins_again_begins_its_log_again(bench: Bench) -> None:
    first, anew = bench.open(), bench.open(lease_token=2)
    assert anew.run.attempt == 1
    say(first, "a")
    anew.progress(1, None, None)
    await bench.reporter.flush()
    assert [report.keep_from for report in bench.saved] == [None, None]
    say(anew, "b")
    await bench.reporter.flush()
    assert bench.saved[-1].keep_from == 2 * SPAN + 1
    say(anew, "c")
    await bench.reporter.flush()
    assert bench.saved[-1].keep_from is None


async def test_what_could_not_be_written_is_kept_for_the_next_time(bench: Bench) -> None:
    report = bench.open()
    say(report, "a")
    bench.store.away = True
    with pytest.raises(StoreUnavailable):
        await bench.reporter.tick()
    with pytest.raises(StoreUnavailable):
        await bench.reporter.flush_of([report.run])
    say(report, "b")
    bench.store.away = False
    await bench.reporter.flush()
    assert bench.texts == ["a", "b"]


async def test_what_is_told_while_it_is_written_is_written_next(bench: Bench) -> None:
    report = bench.open()

    class Slow(FakeReporting):
        async def save(self, reports: Any) -> list[Report]:
            if not self.saved:
                say(report, "meanwhile")
            return await super().save(reports)

    bench.store = bench.reporter._reporting = Slow()
    say(report, "a")
    assert await bench.reporter.tick() == module.EVERY
    bench.passed += 1
    await bench.reporter.tick()
    assert [[line.text for line in each.lines] for each in bench.saved] == [["a"], ["meanwhile"]]


async def test_before_an_ending_its_own_words_are_written_and_no_others(bench: Bench) -> None:
    one, two = bench.open(), bench.open()
    say(one, "a")
    say(two, "b")
    await bench.reporter.flush_of([one.run, bench.open().run])
    assert bench.texts == ["a"]
    await bench.reporter.flush()
    assert bench.texts == ["a", "b"]


async def test_an_ending_waits_for_what_is_being_written(bench: Bench) -> None:
    report, begun, go = bench.open(), asyncio.Event(), asyncio.Event()

    class Slow(FakeReporting):
        async def save(self, reports: Any) -> list[Report]:
            begun.set()
            await go.wait()
            return await super().save(reports)

    bench.store = bench.reporter._reporting = Slow()
    say(report, "a")
    flushing = asyncio.create_task(bench.reporter.flush())
    await begun.wait()
    ending = asyncio.create_task(bench.reporter.flush_of([report.run]))
    await asyncio.sleep(0)
    assert not ending.done()
    go.set()
    await asyncio.gather(flushing, ending)
    assert bench.texts == ["a"]
    assert len(bench.saved) == 1


async def test_an_ending_of_a_run_that_told_nothing_waits_for_nobody(bench: Bench) -> None:
    say(bench.open(), "a")
    async with bench.reporter._flushing:
        await asyncio.wait_for(bench.reporter.flush_of([bench.open().run]), 5)
    assert bench.saved == []


async def test_a_report_that_is_refused_is_heard_no_more(bench: Bench) -> None:
    mine, lost = bench.open(), bench.open()

    class Fenced(FakeReporting):
        async def save(self, reports: Any) -> list[Report]:
            ours = [each for each in reports if each.run_id == mine.run.id]
            return await super().save(ours)

    bench.store = bench.reporter._reporting = Fenced()
    say(lost, "a")
    say(mine, "b")
    await bench.reporter.flush()
    bench.woken = 0
    say(lost, "c")
    assert bench.woken == 0
    say(mine, "d")
    assert bench.woken == 1


async def test_what_cannot_be_written_holds_up_no_ending(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeReporting):
        async def save(self, reports: Any) -> list[Report]:
            raise ValueError("no such column")

    bench.reporter._reporting = Broken()
    report = bench.open()
    say(report, "a")
    with caplog.at_level(logging.ERROR):
        await bench.reporter.flush_of([report.run])
    assert "cannot be written" in caplog.text
    assert await bench.reporter.tick() > module.EVERY


async def test_after_its_end_an_attempt_is_not_heard(bench: Bench) -> None:
    report = bench.open()
    report.items(3, 2, 1)
    report.close()
    say(report, "late")
    report.items(9, 9, 9)
    report.progress(1, None, None)
    await bench.reporter.flush()
    assert (bench.texts, report.worked_on) == ([], Items(3, 2, 1))


async def test_threads_may_tell_at_the_same_time(bench: Bench) -> None:
    report = bench.open()
    threads = [
        threading.Thread(target=say, args=(report, *["x"] * 200), daemon=True) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    await bench.reporter.flush()
    for thread in threads:
        thread.join()
    await bench.reporter.flush()
    assert bench.texts == ["x"] * MAX_LINES
    assert bench.saved[-1].dropped == 4 * 200 - MAX_LINES
    assert len({line.seq for each in bench.saved for line in each.lines}) <= 800


async def test_many_runs_are_written_in_parts(bench: Bench) -> None:
    reports = [bench.open() for _ in range(module.BATCH + 1)]
    for report in reports:
        say(report, "x")
    runs: list[Claimed] = [report.run for report in reports]
    await bench.reporter.flush_of(runs)
    assert len(bench.saved) == len(runs)
