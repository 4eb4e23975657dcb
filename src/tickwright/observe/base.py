"""Who hears of events: subscribers are told after the commit, and cannot harm each other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from tickwright.model.event import Event

_log = logging.getLogger("tickwright.observe")


class Subscriber(Protocol):
    """Hears events in the process in which they happened.

    `receive` is called in the event loop and must not block; what it raises is logged and stays
    with it. Events are best effort: a process that dies may not have told the last ones, while
    the rows they speak of are there.
    """

    def wants(self, name: str) -> bool:
        """Whether events of this name should be made and delivered at all."""
        ...

    def receive(self, event: Event) -> None: ...


class Emitter:
    """Passes each event to the subscribers that want it."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Start telling `subscriber`; the answer stops it again."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def wanted(self, name: str) -> bool:
        return any(subscriber.wants(name) for subscriber in self._subscribers)

    def emit(self, event: Event) -> None:
        for subscriber in list(self._subscribers):
            try:
                if subscriber.wants(event.name):
                    subscriber.receive(event)
            except Exception:
                _log.exception("a subscriber failed on %s", event.name)
