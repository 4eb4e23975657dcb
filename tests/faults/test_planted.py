"""Whoever planted a bug in the engine would be found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import planted
from tests.faults.forms import Form


@pytest.mark.timeout(180)
async def test_nine_planted_bugs_are_all_noticed(tmp_path: Path) -> None:
    verdict = await planted.run(Form(), tmp_path)
    assert verdict.violations == []
    assert verdict.injected == 9
