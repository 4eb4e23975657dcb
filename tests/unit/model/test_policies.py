"""Policies as JSON: stored, sent, and changed in parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.model.job import (
    DEFAULT_POLICY,
    Ambiguity,
    Backoff,
    BackoffKind,
    Policy,
    policy_from_json,
    policy_to_json,
)

SECOND = timedelta(seconds=1)
UNUSUAL = Policy(
    queue="mail",
    priority=9,
    max_attempts=7,
    backoff=Backoff(kind=BackoffKind.LIST, delays=(SECOND, 5 * SECOND), jitter=False),
    timeout=timedelta(milliseconds=1500),
    max_lost=0,
    on_ambiguous=Ambiguity.FAIL,
    dead_letter=False,
)


@pytest.mark.parametrize("policy", [DEFAULT_POLICY, UNUSUAL])
def test_a_policy_is_read_back_as_it_was_written(policy: Policy) -> None:
    assert policy_from_json(policy_to_json(policy)) == policy


def test_what_is_not_named_stays() -> None:
    changed = policy_from_json({"priority": 1}, UNUSUAL)
    assert (changed.priority, changed.queue, changed.backoff) == (1, "mail", UNUSUAL.backoff)


def test_a_backoff_is_given_as_a_whole() -> None:
    changed = policy_from_json({"backoff": {"kind": "fixed", "base": "2s"}}, UNUSUAL)
    assert changed.backoff == Backoff(kind=BackoffKind.FIXED, base=2 * SECOND)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"priority": "5"}, "priority"),
        ({"priority": 10}, "priority"),
        ({"maxAttempts": True}, "maxAttempts"),
        ({"queue": 7}, "queue"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": "0s"}, "timeout"),
        ({"onAmbiguous": "maybe"}, "onAmbiguous"),
        ({"deadLetter": 1}, "deadLetter"),
        ({"backoff": []}, "backoff"),
        ({"backoff": {"kind": "random"}}, "backoff.kind"),
        ({"backoff": {"base": "2h"}}, "backoff"),
        ({"backoff": {"factor": float("nan")}}, "backoff.factor"),
        ({"backoff": {"jitter": "no"}}, "backoff.jitter"),
        ({"backoff": {"cap": "31d"}}, "backoff.cap"),
        ({"backoff": {"kind": "list"}}, "backoff.delays"),
        ({"backoff": {"delays": ["1s"]}}, "backoff.delays"),
        ({"backoff": {"kind": "list", "delays": "1s"}}, "backoff.delays"),
        ({"backoff": {"kind": "list", "delays": ["1s", "x"]}}, "backoff.delays.1"),
        ({"backoff": {"kind": "list", "delays": ["31d"]}}, "backoff.delays"),
        ({"backoff": {"kind": "list", "delays": ["1s"] * 101}}, "backoff.delays"),
    ],
)
def test_what_is_wrong_is_named(data: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        policy_from_json(data)
    assert refused.value.field == field
