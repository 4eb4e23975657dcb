"""What a handler may return or raise to say how its attempt is to end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta

from tickwright.model.run import Cancelled, Failed, Outcome, Snoozed


class Verdict(Exception, ABC):
    """An ending that the handler chose; returned or raised, it is the same."""

    @abstractmethod
    def outcome(self) -> Outcome: ...


class Retry(Verdict):
    """The attempt failed: try again, `after` that time at the earliest."""

    def __init__(
        self, after: timedelta | None = None, reason: str = "asked for another try"
    ) -> None:
        super().__init__(reason)
        self.after = after
        self.reason = reason

    def outcome(self) -> Outcome:
        return Failed(self.reason, retry_after=self.after)


class Snooze(Verdict):
    """It is too early: begin this attempt again after `delay`; that costs no attempt."""

    def __init__(self, delay: timedelta) -> None:
        super().__init__(f"snoozed for {delay}")
        self.delay = delay

    def outcome(self) -> Outcome:
        return Snoozed(self.delay)


class Cancel(Verdict):
    """There is nothing to do any more: the run ends as cancelled."""

    def __init__(self, reason: str = "cancelled by its handler") -> None:
        super().__init__(reason)
        self.reason = reason

    def outcome(self) -> Outcome:
        return Cancelled(self.reason)


class Discard(Verdict):
    """It will never work: the run fails, and is not tried again."""

    def __init__(self, reason: str = "discarded by its handler") -> None:
        super().__init__(reason)
        self.reason = reason

    def outcome(self) -> Outcome:
        return Failed(self.reason, retryable=False)
