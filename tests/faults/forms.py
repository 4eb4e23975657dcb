"""What a run is asked for and what it answers: its size and seed, and its line in the table."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Size = Literal["short", "long"]


@dataclass(frozen=True)
class Form:
    """How much of a run to do; the same seed makes the same faults and the same load."""

    size: Size = "short"
    seed: int = 1

    @property
    def long(self) -> bool:
        return self.size == "long"


@dataclass(frozen=True)
class Verdict:
    """A run's line in the table; `lateness` is the worst that a fault explains, in seconds."""

    run: str
    injected: int
    occurrences: int
    lost: int = 0
    doubled: int = 0
    early: int = 0
    lateness: float = 0.0
    violations: Sequence[str] = field(default_factory=tuple)

    @property
    def passed(self) -> bool:
        """A run in which nothing was done to the system proves nothing."""
        return self.injected > 0 and not self.violations


Run = Callable[[Form, Path], Coroutine[Any, Any, Verdict]]
"""What every module of a run has as `run`; it leaves its histories in the folder."""
