"""Clocks of processes may jump, drift and stand still."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import clocks
from tests.faults.forms import Form


def _missing() -> bool:
    try:
        clocks.library()
    except LookupError:
        return True
    return False


@pytest.mark.skipif(_missing(), reason="libfaketime is not installed")
async def test_process_clocks_do_not_matter(tmp_path: Path) -> None:
    verdict = await clocks.run(Form(), tmp_path)
    assert list(verdict.violations) == []
    assert verdict.injected == clocks.SHORT_JUMPS
    assert verdict.occurrences > 0
