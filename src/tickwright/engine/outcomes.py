"""What a target answered, made fit to be kept. Pure.

Invariant: every database can store whatever passes here, so no answer holds up the endings that
are written together with it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tickwright.model.errors import InvalidInput
from tickwright.model.json import checked_text
from tickwright.model.run import (
    MAX_ERROR_BYTES,
    Cancelled,
    Failed,
    Items,
    Outcome,
    Snoozed,
    Succeeded,
)
from tickwright.model.storable import storable_text

MAX_ITEMS = 2**62
MAX_RETRY_AFTER = timedelta(days=7)
MAX_SNOOZE = timedelta(days=30)
_NOTHING = Items()


def kept(answer: object) -> Outcome:
    """The outcome as it can be stored; a success that cannot be stored is a failure."""
    if isinstance(answer, Succeeded):
        if answer.result is None and answer.items == _NOTHING:
            return answer
        reason = _unfit(answer.result, answer.items)
        return Failed(reason, retryable=False) if reason else answer
    if isinstance(answer, Failed):
        return _kept_failure(answer)
    if isinstance(answer, Cancelled):
        return Cancelled(storable_text(str(answer.reason), MAX_ERROR_BYTES))
    if isinstance(answer, Snoozed):
        return Snoozed(min(max(answer.delay, timedelta(0)), MAX_SNOOZE))
    return Failed(f"the target answered with {type(answer).__name__}, which is no outcome")


def failure_of(error: BaseException) -> Failed:
    """A failure that another try may mend, told by the exception's type and message."""
    return Failed(storable_text(f"{type(error).__name__}: {error}", MAX_ERROR_BYTES))


def _kept_failure(failed: Failed) -> Failed:
    fit = not _unfit(failed.result, failed.items)
    after = failed.retry_after
    return Failed(
        storable_text(str(failed.error), MAX_ERROR_BYTES),
        retryable=failed.retryable,
        ambiguous=failed.ambiguous,
        retry_after=None if after is None else min(after, MAX_RETRY_AFTER),
        result=failed.result if fit else None,
        items=failed.items if fit else _NOTHING,
    )


def _unfit(result: Any, items: Items) -> str | None:
    """Why these cannot be stored, if they cannot."""
    counts = (items.processed, items.succeeded, items.failed)
    if not all(type(count) is int and 0 <= count < MAX_ITEMS for count in counts):
        return f"the items {counts} are not three counts"
    try:
        checked_text("result", result)
    except InvalidInput as error:
        return f"the result {error.reason}"
    return None
