"""The errors callers meet; each has a stable `code`, and its docstring is the default message."""

from __future__ import annotations


class TickwrightError(Exception):
    """Something went wrong in Tickwright."""

    code = "error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class InvalidInput(TickwrightError):
    """The input is not valid."""

    code = "invalid_input"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NotFound(TickwrightError):
    """There is no such thing in this scope."""

    code = "not_found"


class Conflict(TickwrightError):
    """The request does not fit the present state."""

    code = "conflict"


class VersionConflict(Conflict):
    """Somebody else changed it first: read it again and repeat the change."""

    code = "version_conflict"


class NotPossible(TickwrightError):
    """The request is well formed, but its present state does not allow it."""

    code = "not_possible"


class ManualDenied(NotPossible):
    """This schedule does not allow starts by hand."""

    code = "manual_denied"


class StoreUnavailable(TickwrightError):
    """The database cannot be reached."""

    code = "store_unavailable"
