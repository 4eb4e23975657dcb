"""The default way: workers claim ready runs from the table itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tickwright.dispatch.base import Claim
from tickwright.model.run import Claimed


class DatabaseDispatcher:
    """Asks the store for ready runs; needs nothing beside the database."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    async def take(self, offer: Any, now: datetime) -> list[Claimed]:
        claimed: list[Claimed] = await self._claim(offer, now)
        return claimed
