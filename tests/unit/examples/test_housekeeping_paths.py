from __future__ import annotations

from pathlib import Path

import pytest
from examples.housekeeping.contract import Refused
from examples.housekeeping.data_directory import DataDirectory


@pytest.mark.parametrize(
    "name",
    ["..", "../x", "/etc/passwd", "files/../../x", "link", "link/x", "a\0b"],
)
def test_a_path_that_leads_out_or_nowhere_is_refused(data: DataDirectory, name: str) -> None:
    (data.root / "link").symlink_to(data.root.parent)

    with pytest.raises(Refused):
        data.path(name)


@pytest.mark.parametrize("name", [".", "files", "./files/../files", "not yet there", "..x"])
def test_a_path_inside_is_taken(data: DataDirectory, name: str) -> None:
    assert data.path(name).is_relative_to(data.root)


def test_a_refused_output_directory_is_not_made(data: DataDirectory, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="leads out of the data directory"):
        data.output("../elsewhere")

    assert not (tmp_path / "elsewhere").exists()
