"""Processes are replaced one after the other, and what they held moves on at once."""

from __future__ import annotations

from pathlib import Path

from tests.faults import rolling
from tests.faults.forms import Form


async def test_a_rolling_restart_loses_nothing_and_hands_work_over_at_once(tmp_path: Path) -> None:
    verdict = await rolling.run(Form(), tmp_path)
    assert list(verdict.violations) == []
    assert verdict.injected >= 5
    assert verdict.occurrences > 0
