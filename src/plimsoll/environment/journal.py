"""The log events of one environment between two takings: bounded, so that no function can fill Plimsoll's memory.

Rule: Plimsoll's own records (START, REPORT, …) always get in; of the function's events what goes over the bound is
counted, and one line says how much was dropped.
"""

from __future__ import annotations

from plimsoll.model import LogEvent

BOUND_BYTES = 16 << 20
"""Of characters."""
_EVENT_COST = 128
"""What an empty event costs us."""


class Journal:
    """See the module."""

    def __init__(self, bound_bytes: int = BOUND_BYTES) -> None:
        self._bound_bytes = bound_bytes
        self._events: list[LogEvent] = []
        self._held_bytes = 0
        self._dropped = 0
        self._dropped_bytes = 0

    def append(self, event: LogEvent) -> None:
        """An event of the function's."""
        cost = len(event.message) + _EVENT_COST
        if self._held_bytes + cost > self._bound_bytes:
            self._dropped += 1
            self._dropped_bytes += len(event.message)
            return
        self._held_bytes += cost
        self._events.append(event)

    def append_ours(self, event: LogEvent) -> None:
        """A record of the platform's."""
        if self._dropped:
            words = (
                f"[PLIMSOLL] {self._dropped} log events with {self._dropped_bytes} characters were dropped: "
                f"at most {self._bound_bytes >> 20} MiB are kept of an invocation\n"
            )
            self._events.append(LogEvent(event.timestamp_ms, words))
            self._dropped = self._dropped_bytes = 0
        self._events.append(event)

    def take(self) -> tuple[LogEvent, ...]:
        """All events since the last taking, in their order."""
        events, self._events, self._held_bytes = tuple(self._events), [], 0
        return events
