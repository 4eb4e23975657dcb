"""One job, shown; and changed, then shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tickwright.cli.wording import backoff_in_words

if TYPE_CHECKING:
    from tickwright.cli.options import Place
    from tickwright.cli.session import Session
    from tickwright.model.job import Job

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
        ("Version", str(job.version)),
    ]
