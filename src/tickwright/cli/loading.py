"""The scheduler a long-lived command works with: the user's own, or one from settings."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from tickwright.bootstrap import Scheduler as WiredScheduler
from tickwright.bootstrap import make_settings
from tickwright.config import Settings
from tickwright.model.errors import InvalidInput
from tickwright.service.scheduler import Scheduler
from tickwright.service.sync import SyncScheduler


def scheduler_for(app: str | None, **given: Any) -> tuple[Scheduler, Settings]:
    """The scheduler of `--app`, or one made of these settings; and the settings in force.

    Settings of the engine cannot be given for an app, which has made its scheduler by then.
    """
    if app is None:
        own = WiredScheduler(**given)
        return own, own.settings
    for name, value in given.items():
        if value is not None:
            raise InvalidInput(name, "is decided by the scheduler that --app names")
    found = load_scheduler(app)
    return found, found.settings if isinstance(found, WiredScheduler) else make_settings()


def load_scheduler(app: str) -> Scheduler:
    """The Scheduler that `module:name` means, from the current directory too."""
    module_name, _, path = app.partition(":")
    if not module_name or not path:
        raise InvalidInput("app", "must look like myapp.jobs:scheduler")
    found = _imported(module_name)
    for name in path.split("."):
        found = getattr(found, name, None)
    if isinstance(found, SyncScheduler):
        found = found.scheduler
    if found is None:
        raise InvalidInput("app", f"the module {module_name!r} has no {path!r}")
    if not isinstance(found, Scheduler):
        raise InvalidInput("app", f"{app} is a {type(found).__name__}, not a Scheduler")
    return found


def _imported(name: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise InvalidInput("app", f"there is no module {error.name!r}") from error
