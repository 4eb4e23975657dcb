"""What a handler may know and tell of the run it works on: its optional third argument."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tickwright.model.errors import InvalidInput
from tickwright.model.report import MAX_LINE_BYTES, MAX_MESSAGE_BYTES, Level
from tickwright.model.run import Claimed
from tickwright.model.scope import Scope
from tickwright.model.storable import storable_text

_MAX_COUNT = 2**53


class RunContext:
    """The run a handler works on. All of it may be used in any thread, and none of it blocks."""

    __slots__ = ("_cancelled", "_run")

    def __init__(self, run: Claimed) -> None:
        self._run = run
        self._cancelled = False

    @property
    def run_id(self) -> UUID:
        return self._run.id

    @property
    def scope(self) -> Scope:
        return self._run.scope

    @property
    def schedule_id(self) -> UUID | None:
        return self._run.schedule_id

    @property
    def schedule_key(self) -> str | None:
        return self._run.schedule_key

    @property
    def job_key(self) -> str:
        return self._run.job_key

    @property
    def attempt(self) -> int:
        return self._run.attempt

    @property
    def nominal_at(self) -> datetime:
        return self._run.nominal_at

    @property
    def run_at(self) -> datetime:
        return self._run.run_at

    @property
    def triggered_by(self) -> str | None:
        return self._run.triggered_by

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt: hand it to whatever must not happen twice."""
        return self._run.idempotency_key

    @property
    def cancel_requested(self) -> bool:
        """Whether nobody waits for this attempt any more; a thread has no other way to learn it."""
        return self._cancelled

    def request_cancel(self) -> None:
        self._cancelled = True

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Tell how far the work has come, in any unit; `total` where it is known.

        What is told last is what counts. Of `message` 1 KiB is kept.
        """
        _check_number("done", done)
        if total is not None:
            _check_number("total", total)
        text = None if message is None else storable_text(str(message), MAX_MESSAGE_BYTES)
        if self._run.report is not None:
            self._run.report.progress(done, total, text)

    def log(self, message: object, level: str = "info") -> None:
        """Add a line to the run's log; `level` is debug, info, warning, error or critical.

        A line keeps 4 KiB, and an attempt its newest 500 lines and 64 KiB.
        """
        try:
            known = Level(level)
        except ValueError:
            raise InvalidInput("level", f"must be one of {', '.join(Level)}") from None
        if self._run.report is not None:
            self._run.report.log(known, storable_text(str(message), MAX_LINE_BYTES))

    def items(
        self,
        *,
        processed: int | None = None,
        succeeded: int | None = None,
        failed: int | None = None,
    ) -> None:
        """Tell how many items were worked on so far, also if the attempt should fail later."""
        counts = {"processed": processed, "succeeded": succeeded, "failed": failed}
        for name, count in counts.items():
            if count is not None and (type(count) is not int or not 0 <= count < _MAX_COUNT):
                raise InvalidInput(name, "must be a whole number from 0 up")
        if self._run.report is not None:
            self._run.report.items(processed, succeeded, failed)

    def heartbeat(self) -> None:
        """Tell that the work goes on; only a job with a heartbeat timeout asks for it."""
        if self._run.report is not None:
            self._run.report.heartbeat()


def _check_number(name: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < _MAX_COUNT:  # type: ignore[operator]
        raise InvalidInput(name, "must be a number from 0 up")
