"""Connections may break or hang at any moment, on either side of a commit."""

from __future__ import annotations

from pathlib import Path

from tests.faults import network
from tests.faults.forms import Form


async def test_nothing_is_lost_or_doubled_on_a_network_that_breaks(tmp_path: Path) -> None:
    verdict = await network.run(Form(), tmp_path)
    assert list(verdict.violations) == []
    assert verdict.injected >= 6
    assert verdict.occurrences > 0
