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
LINE_BYTES = 1 << 18
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
    assert max(len(message) for message in pipes.messages()) <= LINE_BYTES


@pytest.mark.parametrize("letter", ["x", "é", "€", "😀"])
@pytest.mark.parametrize("first", ["", "x", "xx", "xxx"])
async def test_a_long_line_is_cut_between_characters(pipes: Pipes, first: str, letter: str) -> None:
    """Over 256 KiB it is several events of whole characters, even when its newline comes with the rest of it."""
    line = first + letter * (280_000 // len(letter.encode()))
    written = f"{line}\n".encode()
    for start in range(0, len(written), 60_000):
        pipes.plain(written[start : start + 60_000])
    assert "".join(pipes.messages()) == f"{line}\n"
    sizes = [len(message.encode()) for message in pipes.messages()]
    assert len(sizes) == 2
    assert LINE_BYTES - 4 < sizes[0] <= LINE_BYTES
    close(pipes)


async def test_a_line_of_just_the_length_is_not_cut(pipes: Pipes) -> None:
    """256 KiB are one event."""
    for _ in range(4):
        pipes.plain(b"x" * (LINE_BYTES // 4))
    assert pipes.plain(b"\n") == ["x" * LINE_BYTES + "\n"]
    close(pipes)


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


async def test_a_frame_that_claims_too_much(pipes: Pipes) -> None:
    """A head that says more than 1 MiB is none: it is shown as text at once, and nothing is waited for."""
    head = struct.pack(">IIQ", TEXT, (1 << 20) + 1, 0)
    assert pipes.framed(head + b"text\n") == [head.decode(errors="replace") + "text\n"]
    assert pipes.framed(frame(b"framed"))[1:] == ["framed"]
    close(pipes)


async def test_a_frame_of_the_greatest_length(pipes: Pipes) -> None:
    """1 MiB is one event, in however many pieces it comes."""
    whole = frame(b"x" * (1 << 20))
    for start in range(0, len(whole), 60_000):
        pipes.framed(whole[start : start + 60_000])
    assert pipes.messages() == ["x" * (1 << 20)]
    close(pipes)


async def test_unfinished_line_at_the_end(pipes: Pipes) -> None:
    """Before an invocation's END a line without its newline is published, once; half a frame waits for its rest."""
    pipes.plain(b"last words")
    pipes.framed(frame(b"later")[:18])
    pipes.logs.drain(unfinished_line=True)
    assert pipes.messages() == ["last words"]
    assert pipes.framed(frame(b"later")[18:]) == ["last words", "later"]
    close(pipes)
    assert pipes.messages() == ["last words", "later"]


@pytest.mark.parametrize(
    ("data", "shown"),
    [(frame(b"x" * 99)[:20], "xxxx"), (b"no frame\n", "no frame\n"), (frame(b"")[:15], None)],
    ids=["half-a-frame", "less-than-a-head", "half-a-head"],
)
async def test_unfinished_frame(pipes: Pipes, data: bytes, shown: str | None) -> None:
    """What a dead process left in the framed descriptor is shown when its pipes are closed; half a head says nothing."""
    assert pipes.framed(data) == []
    close(pipes)
    assert pipes.messages() == ([] if shown is None else [shown])


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
