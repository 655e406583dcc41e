"""The event loop that Plimsoll's own programs run on: it looks again for a moment before it sleeps.

Theory of operation. A warm invocation is a handful of messages between two processes, and each time one of them
sleeps the other has to wake it on another processor: 30 to 60 us each way on a virtual machine, more than all our own
work. While exactly one invocation is out, this loop therefore polls for up to `LOOKING_S` before it blocks, as Go's
scheduler does for its emulator. It costs that much processor time per event at most, nothing while nobody waits, and
is off where it would take the time from others: with several invocations out, or on a single processor.

Rule: everything also runs on any other event loop, only slower.
"""

from __future__ import annotations

import asyncio
import gc
import os
import selectors
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

Result = TypeVar("Result")
LOOKING_S = 0.0002


class _Looking(selectors.EpollSelector):
    """`epoll` with a short look before each sleep, while `waiting` is 1."""

    waiting = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the selector's own."""
        if self.waiting != 1 or (timeout is not None and timeout <= LOOKING_S):
            return super().select(timeout)
        until = time.monotonic() + LOOKING_S
        while time.monotonic() < until:
            ready = super().select(0)
            if ready:
                return ready
        return super().select(timeout)


class AttentiveLoop(asyncio.SelectorEventLoop):
    """See the module. Whoever waits for an invocation says so by `begin_wait` and `end_wait`."""

    def __init__(self) -> None:
        self._looking = _Looking()
        self._step = 1 if len(os.sched_getaffinity(0)) > 1 else 0
        super().__init__(self._looking)

    def begin_wait(self) -> None:
        """One more invocation is out."""
        self._looking.waiting += self._step

    def end_wait(self) -> None:
        """It is over."""
        self._looking.waiting -= self._step


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` on an `AttentiveLoop`, with what is loaded by now out of the garbage collector's way."""
    gc.freeze()
    with asyncio.Runner(loop_factory=AttentiveLoop) as runner:
        return runner.run(main)
