"""The target contract: what a run does, and how the doing is reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tickwright.model.json import JsonObject
from tickwright.model.run import Claimed, Outcome


class Target(Protocol):
    """One kind of work a run can do.

    A member is made once per process and shared by all runs, so it keeps no state of a run.
    `check` is called when a schedule is written and must refuse, with InvalidInput naming
    `target.<field>`, whatever `deliver` could not carry out for reasons known by then; what it
    returns is stored and is what `deliver` later finds in `run.target`.

    `deliver` does the work and answers with an Outcome. It bounds nothing in time: the runner
    cancels it when the attempt's timeout has passed or somebody cancelled the run, and a
    CancelledError must leave it. Other exceptions are failures of the attempt that may be
    retried. Two deliveries of one run may overlap when a worker was presumed dead, so the run's
    `idempotency_key` goes along wherever the other side can use it.
    """

    type: str

    def check(self, target: JsonObject) -> dict[str, Any]:
        """The target in its normal form, or InvalidInput naming the field."""
        ...

    async def open(self) -> None:
        """Acquire what deliveries share; called once, inside the running event loop."""
        ...

    async def deliver(self, run: Claimed) -> Outcome:
        """Do the work of one attempt."""
        ...

    async def close(self) -> None:
        """Release what `open` acquired; deliveries have ended by then."""
        ...


class Handlers(Protocol):
    """The handlers of this process by name; what a `handler` target runs."""

    @property
    def names(self) -> Sequence[str]: ...

    def register(self, name: str, fn: Callable[..., Any]) -> None:
        """Serve `name` from now on; registering it again replaces the callable."""
        ...
