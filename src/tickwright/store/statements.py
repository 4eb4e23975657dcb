"""Named statements, read from the `.sql` file beside a dialect's module."""

from __future__ import annotations

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(package: str) -> dict[str, str]:
    """Name to SQL text, from `hot.sql` in `package`; each starts with a `-- name:` line."""
    text = files(package).joinpath("hot.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}
