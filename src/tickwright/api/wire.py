"""What bodies, filters and answers have in common: camelCase, and nothing is guessed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from starlette.requests import Request

from tickwright.model.errors import InvalidInput
from tickwright.model.scope import Scope, ScopeType
from tickwright.model.timestamps import from_rfc3339

T = TypeVar("T")

MAX_PAGE_SIZE = 100
_LAST_PAGE = 10_000_000


class Body(BaseModel):
    """What a caller sends: every field exactly as declared, no others."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class Filters(BaseModel):
    """Query parameters, which are texts and so are read leniently; unknown ones are refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class Answer(BaseModel):
    """What we answer; made by Python names, told by wire names."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def _moment(value: object) -> object:
    if value is None or isinstance(value, datetime):
        return value
    try:
        return from_rfc3339("time", value)
    except InvalidInput as error:
        raise ValueError(error.reason) from None


_MOMENT_SCHEMA = {"type": "string", "format": "date-time"}
Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema(_MOMENT_SCHEMA)]
OptionalMoment = Annotated[
    datetime | None,
    BeforeValidator(_moment),
    WithJsonSchema({"anyOf": [_MOMENT_SCHEMA, {"type": "null"}]}),
]
JsonObject = dict[str, Any]
Reason = Annotated[str, StringConstraints(max_length=500)]


class Paging(Filters):
    """Which part of a list is wanted."""

    page: int = Field(default=1, ge=1, le=_LAST_PAGE)
    page_size: int = Field(default=20, ge=1, le=MAX_PAGE_SIZE)

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.page_size


class Pagination(Answer):
    """Which part of a list this is; `total` counts everything the filters match."""

    page: int
    page_size: int
    total: int
    total_pages: int


class Listed(Answer, Generic[T]):
    """One page of a list."""

    data: list[T]
    pagination: Pagination


def pagination(paging: Paging, total: int) -> Pagination:
    return Pagination(
        page=paging.page,
        page_size=paging.page_size,
        total=total,
        total_pages=-(-total // paging.page_size),
    )


class ScopeAnswer(Answer):
    """Whose something is."""

    type: ScopeType
    tenant_id: str | None
    organization_id: str | None


def scope_answer(scope: Scope) -> ScopeAnswer:
    return ScopeAnswer(
        type=scope.type, tenant_id=scope.tenant_id, organization_id=scope.organization_id
    )


def milliseconds(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // timedelta(milliseconds=1)


def path_to(request: Request, path: str) -> str:
    """`path` of this API as its callers see it, wherever the application is mounted."""
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/") + path
