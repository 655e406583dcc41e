"""One life of an environment's runtime: a process, its mailbox and its log pipes, from start to death.

Rule: what belongs to a process dies with it. A reset throws the life away and takes a new one; the box, `/tmp`, the
log stream and the meter stay.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plimsoll import clock
from plimsoll.alarm import Alarm
from plimsoll.event_loop import AttentiveLoop
from plimsoll.runtime_api import LogPipes, Mailbox, Over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from plimsoll.model import LogEvent
    from plimsoll.sandbox.box import Box, Process


class Life:
    """A runtime process and what speaks with it."""

    def __init__(
        self,
        box: Box,
        argv: Sequence[str],
        env: Mapping[str, str],
        publish: Callable[[LogEvent], None],
    ) -> None:
        self.mailbox = Mailbox()
        loop = asyncio.get_running_loop()
        self._loop = loop if isinstance(loop, AttentiveLoop) else None
        self._limit = Alarm(lambda: self.mailbox.end(Over.TIMEOUT))
        self.logs = LogPipes(publish)
        self.started_ms = clock.monotonic_ms()
        self.process: Process = box.start(argv, env, "/var/task", self.logs.child_fds())
        self.logs.close_child_ends()
        self.process.ended.add_done_callback(lambda _: self.mailbox.end(Over.EXIT))

    async def wait_over(self, limit_ms: float) -> Over:
        """Waits for the present phase to end, at most `limit_ms`."""
        self._limit.set(limit_ms / 1000)
        try:
            return await self.mailbox.over
        finally:
            self._limit.clear()

    async def wait_exit(self, limit_ms: float) -> Over:
        """`wait_over` for nothing but the end of the process."""
        self.mailbox.expect_exit(exited=self.process.ended.done())
        return await self.wait_over(limit_ms)

    @contextmanager
    def attention(self) -> Iterator[None]:
        """An invocation is out: the event loop, if it is ours, looks again before it sleeps."""
        if self._loop is None:
            yield
            return
        self._loop.begin_wait()
        try:
            yield
        finally:
            self._loop.end_wait()

    def close(self) -> None:
        """The process is dead: reads the last of its logs."""
        self._limit.close()
        self.logs.close()
