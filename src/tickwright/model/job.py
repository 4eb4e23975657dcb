"""What a kind of work is, and the policy its runs follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from tickwright.model.errors import InvalidInput
from tickwright.model.scope import Scope

MAX_TIMEOUT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delay before attempt n+1: `min(base * factor**(n-1), cap)`, half of it random.

    The default is the project's retry convention: 10 s, doubled, at most an hour, equal jitter.
    """

    base: timedelta = timedelta(seconds=10)
    factor: float = 2.0
    cap: timedelta = timedelta(hours=1)
    jitter: bool = True

    def __post_init__(self) -> None:
        if self.base < timedelta(0) or self.cap < self.base:
            raise InvalidInput("backoff", "needs 0 <= base <= cap")
        if not 1 <= self.factor <= 100:
            raise InvalidInput("backoff.factor", "must lie between 1 and 100")


@dataclass(frozen=True, slots=True)
class Policy:
    """How runs of a job are queued, retried and bounded."""

    queue: str = "default"
    priority: int = 5
    max_attempts: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    timeout: timedelta = timedelta(hours=1)
    max_lost: int = 3

    def __post_init__(self) -> None:
        if not 1 <= len(self.queue) <= 100 or not self.queue.isprintable():
            raise InvalidInput("queue", "must have 1 to 100 printable characters")
        if not 1 <= self.priority <= 9:
            raise InvalidInput("priority", "must lie between 1 and 9; higher runs first")
        if not 1 <= self.max_attempts <= 100:
            raise InvalidInput("maxAttempts", "must lie between 1 and 100")
        if not timedelta(0) < self.timeout <= MAX_TIMEOUT:
            raise InvalidInput("timeout", "must be more than 0 and at most 7 days")
        if not 0 <= self.max_lost <= 100:
            raise InvalidInput("maxLost", "must lie between 0 and 100")


DEFAULT_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of work. A job key without a row has `DEFAULT_POLICY`."""

    id: UUID
    scope: Scope
    key: str
    policy: Policy
    version: int = 1
