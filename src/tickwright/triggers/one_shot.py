"""One instant, once; it is always a moment in UTC, never a wall clock reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

from tickwright.model.timestamps import aware, from_rfc3339, to_rfc3339
from tickwright.triggers.base import check_fields

AT = "trigger.at"


def at(moment: datetime) -> OneShot:
    """Once, at this moment; a datetime without a time zone is refused."""
    return OneShot(moment)


@dataclass(frozen=True, slots=True)
class OneShot:
    """Happens at one moment and never again."""

    kind: ClassVar[str] = "one_shot"
    recurring: ClassVar[bool] = False

    at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", aware(AT, self.at))

    def next_after(self, moment: datetime) -> datetime | None:
        return self.at if self.at > moment else None

    def previous_before(self, moment: datetime) -> datetime | None:
        return self.at if self.at < moment else None

    def anchored(self, moment: datetime, seed: str = "") -> Self:
        return self

    def to_json(self) -> dict[str, Any]:
        return {"type": self.kind, "at": to_rfc3339(self.at)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        check_fields(data, cls.kind, required=("at",))
        return cls(from_rfc3339(AT, data["at"]))

    def describe(self) -> str:
        return f"once at {self.at.replace(tzinfo=None).isoformat(' ')} UTC"
