"""A worker that stood still for longer than its lease cannot end what others took over."""

from __future__ import annotations

from pathlib import Path

from tests.faults import freezes
from tests.faults.forms import Form


async def test_a_worker_frozen_beyond_its_lease_writes_nothing_stale(tmp_path: Path) -> None:
    verdict = await freezes.run(Form(), tmp_path)
    assert list(verdict.violations) == []
    assert verdict.injected >= 4
    assert verdict.occurrences > 0
