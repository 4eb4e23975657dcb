"""The dispatch contract: how ready runs reach the workers that execute them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from tickwright.model.run import Claimed

Claim = Callable[[Any, datetime], Any]


class Dispatcher(Protocol):
    """Brings runs to one worker.

    Whatever way a run comes, taking it means claiming its row: the database stays the source of
    truth, and a run that another worker holds is never handed out a second time.
    """

    async def take(self, offer: Any, now: datetime) -> list[Claimed]:
        """Up to `offer.slots` runs that fit the offer, claimed for its worker."""
        ...
