"""Any process may be killed at any moment, and nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path

from tests.faults import kills
from tests.faults.forms import Form


async def test_nothing_is_lost_or_doubled_while_processes_are_killed(tmp_path: Path) -> None:
    verdict = await kills.run(Form(), tmp_path)
    assert list(verdict.violations) == []
    assert verdict.injected >= 8
    assert verdict.occurrences > 0
