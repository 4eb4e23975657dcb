"""The benchmark is run once, small, so that it cannot rot; its figures are for `make bench`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_herd_starts_every_schedule_and_none_early(postgres_url: str) -> None:
    server = postgres_url.rpartition("/")[0]
    command = ["-m", "bench.herd", "--schedules", "300", "--repeat", "1", "--json"]
    said = subprocess.run(
        [sys.executable, *command, "--database-url", server],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert said.returncode == 0, said.stderr
    ours = json.loads(said.stdout)["tickwright"]
    assert (ours["runs"], ours["early"]) == (300, 0)
