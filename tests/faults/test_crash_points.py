"""Nothing is lost, doubled or left open, wherever in its work a process dies."""

from __future__ import annotations

from pathlib import Path

from tests.faults import crash_points
from tests.faults.forms import Form
from tests.faults.world.points import POINTS
from tests.faults.world.scene import Crash, Series


async def test_a_process_may_die_at_every_point_of_its_work(tmp_path: Path) -> None:
    verdict = await crash_points.run(Form("short"), tmp_path)
    assert verdict.violations == []
    assert verdict.injected == 2 * len(POINTS)
    assert verdict.occurrences > verdict.injected


async def test_a_crash_brings_to_light_a_cursor_that_is_committed_first(tmp_path: Path) -> None:
    series = Series("postgresql", (Crash("fire.inserted"),), mutate="cursor-first")
    verdict = await crash_points.suffer([series], tmp_path)
    assert verdict.injected == 1
    assert verdict.lost > 0


def test_the_long_form_dies_four_hundred_times_and_everywhere() -> None:
    crashes = [
        (series.dialect, series.beside, crash.point)
        for series in crash_points.program(Form("long"))
        for crash in series.crashes
    ]
    assert len(crashes) >= 400
    for point in POINTS:
        for dialect in ("sqlite", "postgresql"):
            there = [beside for d, beside, p in crashes if (d, p) == (dialect, point)]
            assert len(there) == crash_points.REPEATS
            assert any(there) or not point.startswith("fire.")
