"""One job, shown; and changed, then shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tickwright.cli.wording import backoff_in_words

if TYPE_CHECKING:
    from tickwright.cli.options import Place
    from tickwright.cli.session import Session
    from tickwright.model.job import Job, Policy

Work = Callable[["Session"], Awaitable["Job"]]


def show_after(place: Place, work: Work, *, as_json: bool) -> None:
    """Print the job that `work` answers with."""
    from tickwright.cli.output import console, print_json, print_pairs
    from tickwright.cli.session import in_session
    from tickwright.cli.shapes import job_json

    job = in_session(place, work)
    if as_json:
        print_json(job_json(job))
    else:
        print_pairs(console(), _pairs(job))


def _pairs(job: Job) -> list[tuple[str, str]]:
    from tickwright.model.durations import duration_text

    policy = job.policy
    return [
        ("Key", job.key),
        ("Scope", str(job.scope)),
        ("Queue", policy.queue),
        ("Priority", str(policy.priority)),
        ("Attempts", str(policy.max_attempts)),
        ("Backoff", backoff_in_words(policy.backoff)),
        ("Timeout", duration_text(policy.timeout)),
        ("Lost workers", f"at most {policy.max_lost}"),
        ("Ambiguous", policy.on_ambiguous.value),
        ("Dead letter", "yes" if policy.dead_letter else "no"),
        *_bounds(policy),
        ("Version", str(job.version)),
    ]


def _bounds(policy: Policy) -> list[tuple[str, str]]:
    """What the policy bounds; what it leaves open is not worth a line."""
    from tickwright.cli.wording import rate_in_words
    from tickwright.model.durations import duration_text

    key = policy.concurrency_key
    pairs = {
        "Concurrency": policy.concurrency and str(policy.concurrency),
        "Per tenant": policy.tenant_concurrency and str(policy.tenant_concurrency),
        "Per key": policy.key_concurrency and f"{policy.key_concurrency} for each {key}",
        "Rate": policy.rate and rate_in_words(policy.rate, key),
        "Heartbeat timeout": policy.heartbeat_timeout and duration_text(policy.heartbeat_timeout),
        "SLA, start": policy.sla_start and f"{duration_text(policy.sla_start)} late",
        "SLA, duration": policy.sla_duration and duration_text(policy.sla_duration),
        "Pause after": policy.pause_after and f"{policy.pause_after} failures in a row",
        "Keep for": policy.keep_for and duration_text(policy.keep_for),
        "Keep last": policy.keep_last and str(policy.keep_last),
    }
    return [(label, text) for label, text in pairs.items() if text]
