"""Targets and job policies from their JSON, parsed once per text."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from tickwright.model.job import DEFAULT_POLICY, Backoff, Policy
from tickwright.model.json import JsonObject, loads

DEFAULT_QUEUE = DEFAULT_POLICY.queue
DEFAULT_PRIORITY = DEFAULT_POLICY.priority


def policy_to_json(policy: Policy) -> dict[str, Any]:
    return {
        "queue": policy.queue,
        "priority": policy.priority,
        "maxAttempts": policy.max_attempts,
        "timeoutSeconds": policy.timeout.total_seconds(),
        "maxLost": policy.max_lost,
        "backoff": {
            "baseSeconds": policy.backoff.base.total_seconds(),
            "factor": policy.backoff.factor,
            "capSeconds": policy.backoff.cap.total_seconds(),
            "jitter": policy.backoff.jitter,
        },
    }


@lru_cache(maxsize=4096)
def target_from_text(text: str) -> JsonObject:
    """A run's target; the same text gives the same mapping, which nobody changes."""
    return MappingProxyType(loads(text))


@lru_cache(maxsize=4096)
def policy_from_text(text: str | None) -> Policy:
    """The policy a job row holds; the default one where there is no row."""
    if text is None:
        return DEFAULT_POLICY
    data = loads(text)
    backoff = data["backoff"]
    return Policy(
        queue=data["queue"],
        priority=data["priority"],
        max_attempts=data["maxAttempts"],
        timeout=timedelta(seconds=data["timeoutSeconds"]),
        max_lost=data["maxLost"],
        backoff=Backoff(
            base=timedelta(seconds=backoff["baseSeconds"]),
            factor=backoff["factor"],
            cap=timedelta(seconds=backoff["capSeconds"]),
            jitter=backoff["jitter"],
        ),
    )
