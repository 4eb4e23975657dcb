"""The benchmark runs, so that it cannot rot; what it measures here means nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.lines import NAMES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_every_line_of_the_budgets_is_measured(
    dialect: str, postgres_url: str, tmp_path: Path
) -> None:
    results = tmp_path / "results.json"
    server = postgres_url.rpartition("/")[0]
    asked = ["--short", "--no-peers", "--store", dialect, "--results", str(results)]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *asked, "--database-url", server],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(results.read_text())
    assert [note for note in found["notes"] if "not measured" in note] == []
    assert {line["line"] for line in found["lines"]} == set(NAMES)
    for line in found["lines"]:
        floor = "floor-postgres" if dialect == "postgresql" else "floor-sqlite"
        for sample in line["samples"]["tickwright"] + line["samples"].get(floor, []):
            assert sample.get("early", 0) == 0
    herd = next(line for line in found["lines"] if line["line"] == "herd")
    assert [sample["count"] for sample in herd["samples"]["tickwright"]] == [300]
