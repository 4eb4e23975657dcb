"""Targets and job policies from their JSON, parsed once per text."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType

from tickwright.model.job import DEFAULT_POLICY, Policy, policy_from_json
from tickwright.model.json import JsonObject, loads
from tickwright.model.timing import Timing

DEFAULT_QUEUE = DEFAULT_POLICY.queue
DEFAULT_PRIORITY = DEFAULT_POLICY.priority


@lru_cache(maxsize=4096)
def target_from_text(text: str) -> JsonObject:
    """A run's target; the same text gives the same mapping, which nobody changes."""
    return MappingProxyType(loads(text))


@lru_cache(maxsize=4096)
def timing_from_text(text: str) -> Timing:
    """The timing a schedule row holds."""
    return Timing.from_stored(loads(text))


@lru_cache(maxsize=4096)
def policy_from_text(text: str | None) -> Policy:
    """The policy a job row holds; the default one where there is no row."""
    return DEFAULT_POLICY if text is None else policy_from_json(loads(text))
