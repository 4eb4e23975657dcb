"""When calendars are open: `OpenTimes` answers, `check_definition` refuses what cannot be."""

from __future__ import annotations

from tickwright.triggers.calendars.open_times import OpenTimes, check_definition

__all__ = ["OpenTimes", "check_definition"]
