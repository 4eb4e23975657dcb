"""One request, sent more than once."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from tickwright.model.errors import InvalidInput

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[ -~]+$",
        description="Sent again, it answers with the run it made before.",
    ),
]


def request_key(header: str | None, body: str | None) -> str | None:
    """The key that the header or the body names."""
    if header is not None and body is not None and header != body:
        raise InvalidInput("requestId", "contradicts the Idempotency-Key header")
    return header if body is None else body
