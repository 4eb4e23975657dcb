"""Where a contender keeps what it keeps."""

from __future__ import annotations

from dataclasses import dataclass

POSTGRES = "postgresql"
SQLITE = "sqlite"
DIALECTS = (POSTGRES, SQLITE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one contender keeps what it keeps, for the time of one measurement."""

    dialect: str
    url: str
    admin_url: str
    redis_url: str
    prefix: str
    sink_url: str

    @property
    def path(self) -> str:
        """The file of a SQLite database."""
        return self.url.removeprefix("sqlite:///")
