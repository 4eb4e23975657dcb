"""Members are found by type and loaded only when asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.targets import MEMBERS, target_class, target_types
from tickwright.targets.handler import HandlerTarget
from tickwright.targets.http import HttpTarget


def test_every_member_loads_and_says_its_own_type() -> None:
    loaded = {name: target_class(name) for name in MEMBERS}

    assert loaded == {"handler": HandlerTarget, "http": HttpTarget}
    assert all(getattr(member, "type", None) == name for name, member in loaded.items())


@pytest.mark.parametrize("unknown", ["ftp", "", None, 7, ["http"], "\ud800", "x" * 10_000])
def test_an_unknown_type_is_refused_with_the_known_ones(unknown: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        target_class(unknown)

    assert refused.value.field == "target.type"
    assert "known: handler, http" in refused.value.reason
    assert len(refused.value.reason.encode()) < 500


def test_importing_the_room_does_not_import_a_member() -> None:
    code = "import sys, tickwright.targets; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_an_outside_member_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[tickwright.targets]\npigeon = outside_member:Pigeon\nhttp = outside_member:Pigeon\n"
    )
    (tmp_path / "outside_member.py").write_text("class Pigeon:\n    type = 'pigeon'\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert target_types() == ("handler", "http", "pigeon")
    assert getattr(target_class("pigeon"), "type", None) == "pigeon"
    assert target_class("http") is HttpTarget
