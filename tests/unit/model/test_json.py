"""What may be stored as JSON: bounded in size and depth, and readable by any database."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwright.model.errors import InvalidInput
from tickwright.model.json import MAX_DEPTH, MAX_JSON_BYTES, checked_object, checked_text, loads

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


def growing() -> list[Any]:
    """Lists of lists that hold each other twice: small, and endless when walked."""
    value: list[Any] = []
    value += [value, value]
    return value


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_a_json_object_comes_back_equal_and_apart(value: dict[str, Any]) -> None:
    plain = checked_object("payload", value)
    assert plain == value
    assert plain is not value


@given(VALUES)
def test_any_json_value_is_written_so_that_it_reads_the_same(value: Any) -> None:
    assert loads(checked_text("result", value)) == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"a": "x\x00y"}, "NUL"),
        ({"a\x00": 1}, "NUL"),
        ({"a": ["deep", {"b": "\x00"}]}, "NUL"),
        ({"a": "\ud800"}, "cannot be written"),
        ({"a": math.nan}, "cannot be written"),
        ({"a": math.inf}, "cannot be written"),
        ({"a": object()}, "cannot be written"),
        ({"a": {1, 2}}, "cannot be written"),
        ({"a": b"bytes"}, "cannot be written"),
        ({("a", "b"): 1}, "cannot be written"),
        ({"a": MappingProxyType({"b": 1})}, "cannot be written"),
        ({"a": "x" * MAX_JSON_BYTES}, "bytes as JSON"),
        ({"a": nested(MAX_DEPTH)}, "nested deeper"),
        (endless(), "nested deeper"),
        ({"a": growing()}, "holds more than"),
        ([1], "must be a JSON object"),
        (None, "must be a JSON object"),
        ("{}", "must be a JSON object"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_field(value: Any, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        checked_object("payload", value)
    assert refused.value.field == "payload"


def test_the_deepest_and_the_largest_values_are_accepted() -> None:
    deepest = {"a": nested(MAX_DEPTH - 1)}
    assert checked_object("payload", deepest) == deepest
    largest = {"a": "x" * (MAX_JSON_BYTES - len('{"a":""}'))}
    assert checked_object("payload", largest) == largest


def test_size_is_counted_in_bytes_not_in_characters() -> None:
    with pytest.raises(InvalidInput, match="bytes as JSON"):
        checked_object("payload", {"a": "\N{EURO SIGN}" * (MAX_JSON_BYTES // 2)})


def test_any_mapping_counts_as_an_object() -> None:
    class Shouting(dict[str, Any]):
        """A mapping of the caller's own."""

    value: Mapping[str, Any] = Shouting(a=1)
    assert type(checked_object("payload", value)) is dict
