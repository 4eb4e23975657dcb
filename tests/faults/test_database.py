"""The database may stop at once, end its connections or stay away."""

from __future__ import annotations

from pathlib import Path

from tests.faults import database
from tests.faults.forms import Form


async def test_work_goes_on_by_itself_when_the_database_is_back(tmp_path: Path) -> None:
    verdict = await database.run(Form(), tmp_path)
    assert list(verdict.violations) == []
    assert verdict.injected == 3
    assert verdict.occurrences > 0
