"""One audited change of configuration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tickwright.model.json import JsonObject
from tickwright.model.scope import Scope


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed what, with the configuration before and after it."""

    scope: Scope
    at: datetime
    action: str
    resource: str
    resource_id: UUID
    resource_key: str
    actor: str | None = None
    reason: str | None = None
    before: JsonObject | None = None
    after: JsonObject | None = None
    version: int = 1
    id: UUID | None = None
