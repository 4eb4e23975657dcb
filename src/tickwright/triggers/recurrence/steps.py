"""How far one search may go: whoever writes a rule decides how rare it is, not how long we look."""

from __future__ import annotations

from tickwright.triggers.base import TriggerError

MOST_STEPS = 4000


class Steps:
    """What is left of a search; one is shared by all that it takes to find one instant."""

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def take(self, count: int = 1) -> None:
        self._left -= count
        if self._left < 0:
            raise TriggerError(f"nothing was found in {MOST_STEPS} steps: the rule is too rare")
