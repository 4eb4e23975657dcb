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
MAX_LIMIT = 1_000_000
MAX_PERIOD = timedelta(days=31)
MAX_KEPT = timedelta(days=3650)
MAX_PATH = 200
_MIN_PERIOD = timedelta(milliseconds=100)


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
class Rate:
    """At most `starts` attempts begin in any stretch of time `per` long.

    With `by_key` that holds for each value of the policy's concurrency key by itself.
    """

    starts: int
    per: timedelta
    by_key: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.starts <= MAX_LIMIT:
            raise InvalidInput("rate.starts", f"must lie between 1 and {MAX_LIMIT:,}")
        if not _MIN_PERIOD <= self.per <= MAX_PERIOD:
            raise InvalidInput("rate.per", f"must lie between 100 ms and {MAX_PERIOD.days} days")


@dataclass(frozen=True, slots=True)
class Policy:
    """How runs of a job are queued, limited, retried, watched and kept. None is no limit.

    With `on_ambiguous` `fail` an attempt that may have done its work, because it timed out or its
    worker vanished, is never repeated: at most once. Without `dead_letter` a run that has used up
    its attempts is `failed`, not `dead`.

    `concurrency` bounds the running runs of the job, `key_concurrency` those of them that have
    the same value at the payload's field `concurrency_key` (a path such as `customer.id`), and
    `tenant_concurrency` how many runs of the tenant, of whatever job, may run when one of this
    job begins.

    An attempt that has reported nothing for `heartbeat_timeout` is stopped as stuck. A run that
    starts later than `sla_start`, or runs longer than `sla_duration`, is told as an event.
    A schedule is paused after `pause_after` final failures in a row. Ended runs are kept for
    `keep_for` and at most `keep_last` of each schedule, the newest failure in any case; without
    them the installation's retention holds.
    """

    queue: str = "default"
    priority: int = 5
    max_attempts: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    timeout: timedelta = timedelta(hours=1)
    max_lost: int = 3
    on_ambiguous: Ambiguity = Ambiguity.RETRY
    dead_letter: bool = True
    concurrency: int | None = None
    tenant_concurrency: int | None = None
    key_concurrency: int | None = None
    concurrency_key: str | None = None
    rate: Rate | None = None
    heartbeat_timeout: timedelta | None = None
    sla_start: timedelta | None = None
    sla_duration: timedelta | None = None
    pause_after: int | None = None
    keep_for: timedelta | None = None
    keep_last: int | None = None

    @property
    def limited(self) -> bool:
        """Whether its runs may have to wait for others before they begin."""
        return (
            self.concurrency is not None
            or self.tenant_concurrency is not None
            or self.key_concurrency is not None
            or self.rate is not None
        )

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
        self._check_limits()
        self._check_watch()

    def _check_limits(self) -> None:
        _bounded("concurrency", self.concurrency, MAX_LIMIT)
        _bounded("tenantConcurrency", self.tenant_concurrency, MAX_LIMIT)
        _bounded("keyConcurrency", self.key_concurrency, MAX_LIMIT)
        by_key = self.key_concurrency is not None or (self.rate is not None and self.rate.by_key)
        if by_key and self.concurrency_key is None:
            raise InvalidInput("concurrencyKey", "is needed for a limit by key")
        path = self.concurrency_key
        if path is not None and (len(path) > MAX_PATH or not all(path.split("."))):
            raise InvalidInput(
                "concurrencyKey", "must name a field of the payload, such as `customer.id`"
            )

    def _check_watch(self) -> None:
        _within("heartbeatTimeout", self.heartbeat_timeout, MAX_TIMEOUT)
        _within("slaStart", self.sla_start, MAX_DELAY)
        _within("slaDuration", self.sla_duration, MAX_TIMEOUT)
        _within("keepFor", self.keep_for, MAX_KEPT)
        _bounded("pauseAfter", self.pause_after, 1000)
        _bounded("keepLast", self.keep_last, MAX_LIMIT)


def _bounded(name: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise InvalidInput(name, f"must lie between 1 and {most:,}")


def _within(name: str, value: timedelta | None, most: timedelta) -> None:
    if value is not None and not timedelta(0) < value <= most:
        raise InvalidInput(name, f"must be more than 0 and at most {most.days:,} days")


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
        "concurrency": policy.concurrency,
        "tenantConcurrency": policy.tenant_concurrency,
        "keyConcurrency": policy.key_concurrency,
        "concurrencyKey": policy.concurrency_key,
        "rate": policy.rate and _rate_to_json(policy.rate),
        "heartbeatTimeout": _duration_or_none(policy.heartbeat_timeout),
        "slaStart": _duration_or_none(policy.sla_start),
        "slaDuration": _duration_or_none(policy.sla_duration),
        "pauseAfter": policy.pause_after,
        "keepFor": _duration_or_none(policy.keep_for),
        "keepLast": policy.keep_last,
    }


def _rate_to_json(rate: Rate) -> dict[str, Any]:
    return {"starts": rate.starts, "per": duration_text(rate.per), "byKey": rate.by_key}


def _duration_or_none(duration: timedelta | None) -> str | None:
    return None if duration is None else duration_text(duration)


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


def _rate(name: str, value: object) -> Rate:
    given = _read(value, _RATE, f"{name}.")
    for field_name, (attribute, _) in _RATE.items():
        if attribute not in given and attribute != "by_key":
            raise InvalidInput(f"{name}.{field_name}", "is missing")
    return Rate(**given)


def _or_none(read: Read) -> Read:
    return lambda name, value: None if value is None else read(name, value)


_BACKOFF: Mapping[str, tuple[str, Read]] = {
    "kind": ("kind", _word(BackoffKind)),
    "base": ("base", duration_from_text),
    "factor": ("factor", _number),
    "cap": ("cap", duration_from_text),
    "jitter": ("jitter", _flag),
    "delays": ("delays", _durations),
}
_RATE: Mapping[str, tuple[str, Read]] = {
    "starts": ("starts", _whole),
    "per": ("per", duration_from_text),
    "byKey": ("by_key", _flag),
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
    "concurrency": ("concurrency", _or_none(_whole)),
    "tenantConcurrency": ("tenant_concurrency", _or_none(_whole)),
    "keyConcurrency": ("key_concurrency", _or_none(_whole)),
    "concurrencyKey": ("concurrency_key", _or_none(_text)),
    "rate": ("rate", _or_none(_rate)),
    "heartbeatTimeout": ("heartbeat_timeout", _or_none(duration_from_text)),
    "slaStart": ("sla_start", _or_none(duration_from_text)),
    "slaDuration": ("sla_duration", _or_none(duration_from_text)),
    "pauseAfter": ("pause_after", _or_none(_whole)),
    "keepFor": ("keep_for", _or_none(duration_from_text)),
    "keepLast": ("keep_last", _or_none(_whole)),
}
