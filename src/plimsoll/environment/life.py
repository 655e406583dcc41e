"""One life of an environment's runtime: a process, its mailbox and its log pipes, from start to death.

Rule: what belongs to a process dies with it. A reset throws the life away and takes a new one; the box, `/tmp`, the
log stream and the meter stay.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plimsoll import clock
from plimsoll.runtime_api import LogPipes, Mailbox, Over

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
        self.logs = LogPipes(publish)
        self.started_ms = clock.monotonic_ms()
        self.process: Process = box.start(argv, env, "/var/task", self.logs.child_fds())
        self.logs.close_child_ends()
        self.process.ended.add_done_callback(lambda _: self.mailbox.end(Over.EXIT))

    async def wait_over(self, limit_ms: float) -> Over:
        """Waits for the present phase (init or invocation) to end, at most `limit_ms`."""
        over = self.mailbox.over
        loop = asyncio.get_running_loop()
        timer = loop.call_later(limit_ms / 1000, self.mailbox.end, Over.TIMEOUT)
        try:
            return await over
        finally:
            timer.cancel()

    def close(self) -> None:
        """The process is dead: reads the last of its logs."""
        self.logs.close()
