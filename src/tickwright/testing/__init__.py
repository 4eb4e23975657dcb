"""The shipped test kit: what an application's own tests need to drive a scheduler."""

from tickwright.testing.clock import FakeClock
from tickwright.testing.manual import ManualScheduler

__all__ = ["FakeClock", "ManualScheduler"]
