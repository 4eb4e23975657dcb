"""What a kind of work is, and the policy its runs follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from tickwright.model.durations import duration_from_text, duration_text
from tickwright.model.errors import InvalidInput
from tickwright.model.json import JsonObject
from tickwright.model.scope import Scope

E = TypeVar("E", bound=StrEnum)
MAX_TIMEOUT = timedelta(days=7)
MAX_DELAY = timedelta(days=30)
MAX_DELAYS = 100


class BackoffKind(StrEnum):
    """How the delay grows from one failed attempt to the next."""

    NONE = "none"
    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    LIST = "list"


class Ambiguity(StrEnum):
    """What follows when nobody knows whether an attempt did its work."""

    RETRY = "retry"
    FAIL = "fail"


def _word(kind: type[E]) -> Callable[[str, Any], E]:
    def read(name: str, value: Any) -> E:
        try:
            return kind(value)
        except ValueError:
            raise InvalidInput(name, f"must be one of {', '.join(kind)}") from None

    return read


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delay after failed attempt n, at most `cap`; with `jitter` half of it is random.

    `none`: at once. `fixed`: `base`. `linear`: `base * n`. `exponential`: `base * factor**(n-1)`.
    `list`: the nth of `delays`, and the last one from there on. The default is the project's retry
    convention: 10 s, doubled, at most an hour, equal jitter.
    """

    base: timedelta = timedelta(seconds=10)
    factor: float = 2.0
    cap: timedelta = timedelta(hours=1)
    jitter: bool = True
    kind: BackoffKind = BackoffKind.EXPONENTIAL
    delays: tuple[timedelta, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _word(BackoffKind)("backoff.kind", self.kind))
        if self.base < timedelta(0) or self.cap < self.base:
            raise InvalidInput("backoff", "needs 0 <= base <= cap")
        if self.cap > MAX_DELAY:
            raise InvalidInput("backoff.cap", f"must be at most {MAX_DELAY.days} days")
        if not 1 <= self.factor <= 100:
            raise InvalidInput("backoff.factor", "must lie between 1 and 100")
        if (self.kind is BackoffKind.LIST) != bool(self.delays):
            raise InvalidInput("backoff.delays", "belongs to the kind `list`, which needs it")
        if len(self.delays) > MAX_DELAYS:
            raise InvalidInput("backoff.delays", f"must be at most {MAX_DELAYS}")
        if any(not timedelta(0) <= delay <= MAX_DELAY for delay in self.delays):
            raise InvalidInput("backoff.delays", f"must lie between 0 and {MAX_DELAY.days} days")


@dataclass(frozen=True, slots=True)
class Policy:
    """How runs of a job are queued, retried and bounded.

    With `on_ambiguous` `fail` an attempt that may have done its work, because it timed out or its
    worker vanished, is never repeated: at most once. Without `dead_letter` a run that has used up
    its attempts is `failed`, not `dead`.
    """

    queue: str = "default"
    priority: int = 5
    max_attempts: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    timeout: timedelta = timedelta(hours=1)
    max_lost: int = 3
    on_ambiguous: Ambiguity = Ambiguity.RETRY
    dead_letter: bool = True

    def __post_init__(self) -> None:
        ambiguity = _word(Ambiguity)("onAmbiguous", self.on_ambiguous)
        object.__setattr__(self, "on_ambiguous", ambiguity)
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

    def configuration(self) -> dict[str, Any]:
        """What an audited change compares: configuration only, as JSON."""
        return {"key": self.key, **policy_to_json(self.policy)}


def policy_to_json(policy: Policy) -> dict[str, Any]:
    """The form in which policies are stored and sent; durations are texts such as `1h30m`."""
    backoff = policy.backoff
    return {
        "queue": policy.queue,
        "priority": policy.priority,
        "maxAttempts": policy.max_attempts,
        "backoff": {
            "kind": backoff.kind.value,
            "base": duration_text(backoff.base),
            "factor": backoff.factor,
            "cap": duration_text(backoff.cap),
            "jitter": backoff.jitter,
            "delays": [duration_text(delay) for delay in backoff.delays],
        },
        "timeout": duration_text(policy.timeout),
        "maxLost": policy.max_lost,
        "onAmbiguous": policy.on_ambiguous.value,
        "deadLetter": policy.dead_letter,
    }


def policy_from_json(data: JsonObject, base: Policy = DEFAULT_POLICY) -> Policy:
    """`base` with what `data` says instead; a backoff that is given is given as a whole."""
    changes = _read(data, _POLICY, "")
    return replace(base, **changes)


Read = Callable[[str, Any], Any]


def _read(data: object, fields: Mapping[str, tuple[str, Read]], path: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise InvalidInput(path.rstrip(".") or "body", "must be a JSON object")
    for name in data:
        if name not in fields:
            raise InvalidInput(f"{path}{name}", f"is none of {', '.join(fields)}")
    return {
        attribute: read(f"{path}{name}", data[name])
        for name, (attribute, read) in fields.items()
        if name in data
    }


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(name, "must be a whole number")
    return value


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(name, "must be a number")
    return float(value)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(name, "must be true or false")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(name, "must be a text")
    return value


def _durations(name: str, value: object) -> tuple[timedelta, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidInput(name, "must be a list of durations")
    return tuple(duration_from_text(f"{name}.{n}", each) for n, each in enumerate(value))


def _backoff(name: str, value: object) -> Backoff:
    return Backoff(**_read(value, _BACKOFF, f"{name}."))


_BACKOFF: Mapping[str, tuple[str, Read]] = {
    "kind": ("kind", _word(BackoffKind)),
    "base": ("base", duration_from_text),
    "factor": ("factor", _number),
    "cap": ("cap", duration_from_text),
    "jitter": ("jitter", _flag),
    "delays": ("delays", _durations),
}
_POLICY: Mapping[str, tuple[str, Read]] = {
    "queue": ("queue", _text),
    "priority": ("priority", _whole),
    "maxAttempts": ("max_attempts", _whole),
    "backoff": ("backoff", _backoff),
    "timeout": ("timeout", duration_from_text),
    "maxLost": ("max_lost", _whole),
    "onAmbiguous": ("on_ambiguous", _word(Ambiguity)),
    "deadLetter": ("dead_letter", _flag),
}
