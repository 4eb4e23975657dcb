"""Whose something is: the system's, a tenant's or an organization's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from tickwright.model.errors import InvalidInput

ScopeType = Literal["system", "tenant", "organization"]
MAX_ID_LENGTH = 50
_SYSTEM_KEY = "*"


@dataclass(frozen=True, slots=True)
class Scope:
    """`Scope()` is the system; with a tenant id a tenant; with both ids an organization."""

    tenant_id: str | None = None
    organization_id: str | None = None

    def __post_init__(self) -> None:
        if self.organization_id is not None and self.tenant_id is None:
            raise InvalidInput("organizationId", "an organization needs its tenant's id")
        if self.tenant_id is not None:
            _check_id("tenantId", self.tenant_id)
        if self.organization_id is not None:
            _check_id("organizationId", self.organization_id)

    @property
    def type(self) -> ScopeType:
        if self.tenant_id is None:
            return "system"
        return "tenant" if self.organization_id is None else "organization"

    @property
    def key(self) -> str:
        """The text that leads every unique key: `*`, `acme` or `acme/north`."""
        if self.tenant_id is None:
            return _SYSTEM_KEY
        if self.organization_id is None:
            return self.tenant_id
        return f"{self.tenant_id}/{self.organization_id}"

    @classmethod
    def from_key(cls, key: str) -> Self:
        if key == _SYSTEM_KEY:
            return cls()
        tenant_id, _, organization_id = key.partition("/")
        return cls(tenant_id, organization_id or None)

    def __str__(self) -> str:
        return self.key


SYSTEM = Scope()


def tenant(tenant_id: str) -> Scope:
    return Scope(tenant_id)


def organization(tenant_id: str, organization_id: str) -> Scope:
    return Scope(tenant_id, organization_id)


def _check_id(field: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise InvalidInput(field, "must be a text that is not empty")
    if len(value) > MAX_ID_LENGTH:
        raise InvalidInput(field, f"must have at most {MAX_ID_LENGTH} characters")
    if value == _SYSTEM_KEY or "/" in value or not value.isprintable():
        raise InvalidInput(field, "must not be `*` nor hold `/` or unprintable characters")
