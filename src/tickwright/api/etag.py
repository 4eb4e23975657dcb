"""Versions as ETags (RFC 9110, 8.8.3 and 13.1.1)."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header, Response

from tickwright.model.errors import InvalidInput

_ETAG = re.compile(r'"([0-9]{1,18})"')
IfMatch = Annotated[
    str | None,
    Header(description="The ETag that was read: refuse (412) if somebody changed it since."),
]


def version_in(if_match: str | None) -> int | None:
    """The version that the caller has seen; none when any will do."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _ETAG.fullmatch(if_match.strip())
    if tag is None:
        raise InvalidInput("If-Match", 'must be one ETag as it was read, such as "3"')
    return int(tag[1])


def mark(response: Response, version: int) -> None:
    response.headers["ETag"] = f'"{version}"'
