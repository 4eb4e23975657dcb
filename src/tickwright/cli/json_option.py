"""Options whose value is a JSON object."""

from __future__ import annotations

import json
from typing import Any

from tickwright.model.errors import InvalidInput
from tickwright.model.json import checked_object


def json_object(name: str, text: str) -> dict[str, Any]:
    """The object `text` says, or InvalidInput naming the option."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(name, f"is not JSON: {error}") from None
    except RecursionError:
        raise InvalidInput(name, "is nested too deep") from None
    return checked_object(name, value)
