"""Text and JSON from outside are made fit for any database, never refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwright.model.json import MAX_DEPTH, checked_text
from tickwright.model.storable import storable_json, storable_tail, storable_text

ANY_TEXT = st.text(st.characters())
ANY_JSON = st.recursive(
    st.none() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(text=ANY_TEXT, limit=st.integers(1, 40))
def test_any_text_becomes_storable_within_its_limit(text: str, limit: int) -> None:
    for kept in (storable_text(text, limit), storable_tail(text, limit)):
        assert "\x00" not in kept
        assert len(kept.encode()) <= limit


@pytest.mark.parametrize("cut", [storable_text, storable_tail])
def test_text_that_fits_stays_as_it_is(cut: Any) -> None:
    assert cut("naïve ☃", 100) == "naïve ☃"


def test_the_head_or_the_tail_is_kept_and_no_character_is_halved() -> None:
    assert storable_text("abc☃", 5) == "abc"
    assert storable_tail("☃abc", 5) == "abc"


@given(ANY_JSON)
def test_any_decoded_json_becomes_storable(value: Any) -> None:
    checked_text("result", storable_json(value))


def test_what_is_nested_too_deep_becomes_null() -> None:
    deep: list[Any] = []
    for _ in range(3 * MAX_DEPTH):
        deep = [deep]
    checked_text("result", storable_json(deep))
