"""A scope says whose something is, and its key leads every unique key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwright.model.errors import InvalidInput
from tickwright.model.scope import SYSTEM, Scope, organization, tenant

IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=50).filter(
    lambda text: text.isprintable() and "/" not in text and text != "*"
)


@pytest.mark.parametrize(
    ("scope", "kind", "key"),
    [
        (SYSTEM, "system", "*"),
        (tenant("acme"), "tenant", "acme"),
        (organization("acme", "north"), "organization", "acme/north"),
    ],
)
def test_a_scope_has_a_type_and_a_key(scope: Scope, kind: str, key: str) -> None:
    assert (scope.type, scope.key, str(scope)) == (kind, key, key)


@given(tenant_id=IDS, organization_id=st.none() | IDS)
def test_a_scope_is_found_again_by_its_key(tenant_id: str, organization_id: str | None) -> None:
    scope = Scope(tenant_id, organization_id)
    assert Scope.from_key(scope.key) == scope


def test_the_system_is_found_again_by_its_key() -> None:
    assert Scope.from_key(SYSTEM.key) == SYSTEM


@given(one=st.tuples(IDS, st.none() | IDS), other=st.tuples(IDS, st.none() | IDS))
def test_two_scopes_never_share_a_key(
    one: tuple[str, str | None], other: tuple[str, str | None]
) -> None:
    assert (Scope(*one).key == Scope(*other).key) == (one == other)
    assert Scope(*one).key != SYSTEM.key


@pytest.mark.parametrize("bad", ["", "*", "a/b", "a\nb", "a\x00b", "\ud800", "x" * 51, 7])
def test_an_id_that_could_be_mistaken_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        tenant(bad)
    assert refused.value.field == "tenantId"
    with pytest.raises(InvalidInput) as refused:
        organization("acme", bad)
    assert refused.value.field == "organizationId"


def test_the_longest_id_is_accepted() -> None:
    assert tenant("x" * 50).key == "x" * 50


def test_an_organization_needs_its_tenant() -> None:
    with pytest.raises(InvalidInput) as refused:
        Scope(None, "north")
    assert refused.value.field == "organizationId"
