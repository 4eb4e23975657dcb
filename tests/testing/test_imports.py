"""The kit is for applications: it brings nothing that only a test run has."""

from __future__ import annotations

import subprocess
import sys


def test_the_kit_does_not_import_pytest() -> None:
    program = (
        "import sys, tickwright.testing as kit\n"
        "assert kit.ManualScheduler and kit.FakeClock\n"
        "print(sorted({'pytest', '_pytest', 'hypothesis', 'tests'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"
