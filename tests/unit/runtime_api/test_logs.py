"""What the function writes becomes log events: plain lines, and frames with newlines and all (facts sheet B7)."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest

from plimsoll import clock
from plimsoll.model import LogEvent
from plimsoll.runtime_api import LogPipes

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_700_000_000_123
TEXT, JSON, ERROR_LEVEL = 0xA55A0003, 0xA55A0002, 0x14


class Pipes:
    """The pipes of one runtime process, with the events that they published."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []
        self.logs = LogPipes(self.events.append)

    def plain(self, data: bytes) -> list[str]:
        """What has been published in all once this was written to stdout."""
        os.write(self.logs.plain_write, data)
        self.logs.drain()
        return self.messages()

    def framed(self, data: bytes) -> list[str]:
        """What has been published in all once this was written to the framed descriptor."""
        os.write(self.logs.framed_write, data)
        self.logs.drain()
        return self.messages()

    def messages(self) -> list[str]:
        """The events' texts."""
        return [event.message for event in self.events]


@pytest.fixture
async def pipes(monkeypatch: pytest.MonkeyPatch) -> Pipes:
    """Pipes whose plain lines are all of one moment."""
    monkeypatch.setattr(clock, "epoch_ms", lambda: NOW)
    return Pipes()


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """No test leaves a descriptor open."""
    before = os.listdir("/proc/self/fd")
    yield
    assert len(os.listdir("/proc/self/fd")) <= len(before)


def close(pipes: Pipes) -> None:
    """The process is gone, and then the pipes are."""
    pipes.logs.close_child_ends()
    pipes.logs.close()


def frame(message: bytes, time_us: int = 0, kind: int = TEXT) -> bytes:
    """A frame as AWS's runtime clients write it."""
    return struct.pack(">IIQ", kind, len(message), time_us) + message


async def test_a_line_is_an_event(pipes: Pipes) -> None:
    """Each line with its newline is one event; a carriage return does not split."""
    assert pipes.plain(b"one\ntwo\rstill two\n\n") == ["one\n", "two\rstill two\n", "\n"]
    assert {event.timestamp_ms for event in pipes.events} == {NOW}
    close(pipes)


async def test_a_line_in_pieces(pipes: Pipes) -> None:
    """A line counts once it is whole, however many writes made it."""
    assert pipes.plain(b"caf\xc3") == []
    assert pipes.plain(b"\xa9\n") == ["café\n"]
    close(pipes)


async def test_unfinished_last_line(pipes: Pipes) -> None:
    """What a dead process left without a newline is published when its pipes are closed."""
    assert pipes.plain(b"last words") == []
    close(pipes)
    assert pipes.messages() == ["last words"]


async def test_bytes_that_are_no_text(pipes: Pipes) -> None:
    """What is no UTF-8 is shown with replacement characters rather than lost."""
    assert pipes.plain(b"a\xffb\n") == ["a\ufffdb\n"]
    close(pipes)


async def test_endless_line(pipes: Pipes) -> None:
    """A line without end becomes several events, and nothing of it is lost."""
    for _ in range(10):
        pipes.plain(b"x" * 60_000)
    assert len(pipes.events) >= 2
    close(pipes)
    assert "".join(pipes.messages()) == "x" * 600_000
    assert max(len(message) for message in pipes.messages()) <= 1 << 18


async def test_a_frame_is_an_event(pipes: Pipes) -> None:
    """A frame is one event, newlines and all, at the time that it names, of text or JSON at any level."""
    frames = frame(b"one\ntwo", 1_700_000_000_123_999) + frame(b"{}", 5000, JSON | ERROR_LEVEL)
    pipes.framed(frames)
    assert pipes.events == [LogEvent(1_700_000_000_123, "one\ntwo"), LogEvent(5, "{}")]
    close(pipes)


async def test_a_frame_in_pieces(pipes: Pipes) -> None:
    """A frame counts once it is whole, wherever it was cut."""
    whole = frame(b"message") + frame(b"")
    published = [pipes.framed(whole[n : n + 1]) for n in range(len(whole))]
    assert published.index(["message"]) == len(frame(b"message")) - 1
    assert published[-1] == ["message", ""]
    close(pipes)


async def test_no_frame(pipes: Pipes) -> None:
    """What somebody else wrote to the framed descriptor is shown, and the frames after it are read."""
    assert pipes.framed(b"this is not a frame at all\n") == ["this is not a frame at all\n"]
    assert pipes.framed(frame(b"this is"))[1:] == ["this is"]
    close(pipes)


async def test_what_the_child_is_given(pipes: Pipes) -> None:
    """Its stdout and stderr are one pipe, its descriptor 3 the other."""
    stdout, stderr, framed = pipes.logs.child_fds()
    os.write(stdout, b"out\n")
    os.write(stderr, b"err\n")
    pipes.logs.drain()
    assert pipes.messages() == ["out\n", "err\n"]
    os.write(framed, frame(b"framed"))
    pipes.logs.drain()
    assert pipes.messages()[2:] == ["framed"]
    close(pipes)


async def test_closing_reads_the_rest(pipes: Pipes) -> None:
    """What was written just before the end is not lost."""
    os.write(pipes.logs.plain_write, b"plain\n")
    os.write(pipes.logs.framed_write, frame(b"framed"))
    close(pipes)
    assert pipes.messages() == ["plain\n", "framed"]
