"""The job endpoint contract: what a scheduler sends, what a job answers, how a job refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel


class Refused(Exception):
    """The job's settings ask for something it will not or cannot do."""


class Settings(BaseModel):
    """What a job takes from `config`; unknown and malformed settings are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, config: Mapping[str, object]) -> Self:
        try:
            return cls.model_validate(config)
        except ValidationError as invalid:
            reasons = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in invalid.errors()]
            raise Refused(f"config: {'; '.join(reasons)}") from invalid


class Message(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class JobContext(Message):
    job_name: str
    config: dict[str, Any]
    execution_id: str
    triggered_by: str
    triggered_by_user: str | None = None


class JobResult(Message):
    success: bool
    items_processed: int = 0
    items_succeeded: int = 0
    items_failed: int = 0
    error: str | None = None
    metadata: dict[str, Any] | None = None

    @classmethod
    def counted(cls, succeeded: int, failed: int, **metadata: object) -> JobResult:
        return cls(
            success=True,
            items_processed=succeeded + failed,
            items_succeeded=succeeded,
            items_failed=failed,
            metadata=metadata,
        )
