"""A timer that is set and cleared with every invocation, at the price of two assignments.

Rule: the event loop's own timer is armed only when none that is armed would ring in time, and is never cancelled on
the invoke path: when it rings early it is armed again for what is left. asyncio's `call_later` and `cancel` cost
5 us each and leave the cancelled ones in its heap; there are two such timers on each invocation (timeout, sampler).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Alarm:
    """Calls `ring` once, when the time that was set last has come. Lives on the running event loop."""

    __slots__ = ("_due_s", "_loop", "_ring", "_timer")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._due_s: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Rings `seconds` from now; an earlier setting is forgotten."""
        self._due_s = due_s = self._loop.time() + seconds
        timer = self._timer
        if timer is None or timer.when() > due_s:
            if timer is not None:
                timer.cancel()
            self._timer = self._loop.call_at(due_s, self._on_timer)

    def clear(self) -> None:
        """Does not ring any more until it is set again."""
        self._due_s = None

    def close(self) -> None:
        """Gives the loop's timer back."""
        self._due_s = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        if self._due_s is None:
            return
        if self._loop.time() < self._due_s:
            self._timer = self._loop.call_at(self._due_s, self._on_timer)
            return
        self._due_s = None
        self._ring()
