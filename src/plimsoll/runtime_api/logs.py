"""What the function writes: plain stdout and stderr line by line, and the framed log descriptor.

Source: facts sheet B7. A frame of `_LAMBDA_TELEMETRY_LOG_FD` is one event, newlines and all; its head is a type
(0xa55a0002 or 3, OR-ed with a level), the length and the time in microseconds, big-endian.

Rule: never blocks and never grows without bound: reads what is there, keeps at most a line of 256 KiB open, or a
frame of 1 MiB.
"""

from __future__ import annotations

import asyncio
import os
import struct
from typing import TYPE_CHECKING

from plimsoll import clock
from plimsoll.model import LogEvent

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMED_FD = 3
"""The descriptor's number inside the box."""
_FRAME_MAGIC = 0xA55A0000
_FRAME_HEAD = struct.Struct(">IIQ")
_FRAME_START = b"\xa5\x5a"
_CHUNK_BYTES = 1 << 18
_LINE_BYTES = 1 << 18
"""PutLogEvents: an event is at most 256 KiB; a longer line becomes several."""
_FRAME_BYTES = 1 << 20
"""No runtime client sends more in one frame; a head that says so is none."""


class LogPipes:
    """The two pipes of one runtime process and the events read from them."""

    def __init__(self, publish: Callable[[LogEvent], None]) -> None:
        self._publish = publish
        self._plain_read, self.plain_write = os.pipe2(os.O_CLOEXEC)
        self._framed_read, self.framed_write = os.pipe2(os.O_CLOEXEC)
        self._line = b""
        self._frames = b""
        loop = asyncio.get_running_loop()
        for fd in (self._plain_read, self._framed_read):
            os.set_blocking(fd, False)
        loop.add_reader(self._plain_read, self._read_plain)
        loop.add_reader(self._framed_read, self._read_framed)

    def child_fds(self) -> list[int]:
        """What becomes 1, 2 and 3 of the process."""
        return [self.plain_write, self.plain_write, self.framed_write]

    def close_child_ends(self) -> None:
        """Once the process has its copies: so that its end is seen as the pipes' end."""
        for fd in (self.plain_write, self.framed_write):
            os.close(fd)

    def drain(self, *, unfinished_line: bool = False) -> None:
        """Reads what has been written by now, up to 4 MiB: called before an invocation's END.

        `unfinished_line`: a line without its newline is published too.
        """
        for _ in range(16):
            if not (self._read_plain() | self._read_framed()):
                break
        if unfinished_line and self._line:
            self._publish_line(self._line)
            self._line = b""

    def close(self) -> None:
        """Reads the rest, publishes it finished or not, closes."""
        self.drain(unfinished_line=True)
        self._publish_unfinished_frame()
        loop = asyncio.get_running_loop()
        for fd in (self._plain_read, self._framed_read):
            loop.remove_reader(fd)
            os.close(fd)

    def _publish_unfinished_frame(self) -> None:
        if self._frames.startswith(_FRAME_START):  # its writer died in the middle of it
            self._frames = self._frames[_FRAME_HEAD.size :]
        if self._frames:
            self._publish_line(self._frames)
        self._frames = b""

    def _read(self, fd: int) -> bytes:
        try:
            data = os.read(fd, _CHUNK_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            asyncio.get_running_loop().remove_reader(fd)
        return data

    def _read_plain(self) -> bool:
        data = self._read(self._plain_read)
        if data:
            *lines, self._line = (self._line + data).split(b"\n")
            for line in lines:
                self._publish_line(self._cut(line) + b"\n")
            self._line = self._cut(self._line)
        return bool(data)

    def _cut(self, line: bytes) -> bytes:
        """Publishes what is longer than an event may be, whole characters each; gives the rest."""
        while len(line) > _LINE_BYTES:
            end = _LINE_BYTES
            while end > _LINE_BYTES - 4 and line[end] & 0xC0 == 0x80:  # inside a character
                end -= 1
            self._publish_line(line[:end])
            line = line[end:]
        return line

    def _publish_line(self, line: bytes) -> None:
        self._publish(LogEvent(clock.epoch_ms(), line.decode(errors="replace")))

    def _read_framed(self) -> bool:
        data = self._read(self._framed_read)
        self._frames += data
        while len(self._frames) >= _FRAME_HEAD.size:
            kind, length, time_us = _FRAME_HEAD.unpack_from(self._frames)
            if kind & 0xFFFF0000 != _FRAME_MAGIC or length > _FRAME_BYTES:
                # not a frame: somebody else wrote to descriptor 3; it is shown rather than lost
                self._publish_line(self._frames)
                self._frames = b""
                break
            end = _FRAME_HEAD.size + length
            if len(self._frames) < end:
                break
            message = self._frames[_FRAME_HEAD.size : end].decode(errors="replace")
            self._publish(LogEvent(time_us // 1000, message))
            self._frames = self._frames[end:]
        return bool(data)
