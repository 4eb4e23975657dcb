"""Events as log lines, one each, with the same keys everywhere."""

from __future__ import annotations

import logging

from tickwright.model import event as names
from tickwright.model.event import Event

_log = logging.getLogger("tickwright.events")
_LEVELS = {
    names.LOOP_FAILED: logging.ERROR,
    names.SCHEDULE_PARKED: logging.ERROR,
    names.RUN_DEAD: logging.ERROR,
    names.RUN_FAILED: logging.WARNING,
    names.RUN_STUCK: logging.WARNING,
    names.RUN_MISSED: logging.WARNING,
    names.RUN_LATE: logging.WARNING,
    names.RUN_SLOW: logging.WARNING,
    names.RUN_REFUSED: logging.WARNING,
    names.WORKER_OFFLINE: logging.WARNING,
    names.RUN_STARTED: logging.DEBUG,
    names.RUN_SUCCEEDED: logging.DEBUG,
}


class LogSubscriber:
    """Writes events through the standard `logging`, so that the host application decides how."""

    def wants(self, name: str) -> bool:
        return _log.isEnabledFor(_LEVELS.get(name, logging.INFO))

    def receive(self, event: Event) -> None:
        facts = " ".join(f"{key}={value}" for key, value in event.data.items() if value is not None)
        level = _LEVELS.get(event.name, logging.INFO)
        _log.log(level, "%s scope=%s %s", event.name, event.scope, facts)
