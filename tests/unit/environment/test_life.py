"""One life of a runtime: what ends a wait, and that its logs outlive it."""

from __future__ import annotations

import asyncio
import marshal
import os
import socket
from typing import TYPE_CHECKING

import pytest

from plimsoll.environment.life import Life
from plimsoll.event_loop import AttentiveLoop
from plimsoll.runtime_api import Answer, Over
from plimsoll.sandbox import passing
from plimsoll.sandbox.box import Box, ProcessEnd
from plimsoll.testing import FakeTime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from plimsoll.model import LogEvent

ARGV = ["/var/runtime/bootstrap", "app.handler"]
VARIABLES = {"_HANDLER": "app.handler"}


class FirstProcess:
    """Plays the first process of a box: hears what is to be started, and says how it went."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.box = Box(theirs)
        self.fds: list[int] = []

    def hear(self) -> object:
        """The next message; its descriptors are kept."""
        data, fds, _, _ = socket.recv_fds(self._control, passing.MESSAGE_BYTES, 8)
        self.fds += fds
        return marshal.loads(data)

    def say(self, *message: str | int) -> None:
        """A message to Plimsoll."""
        self._control.send(marshal.dumps(message))

    async def close(self) -> None:
        """The box is gone."""
        for fd in self.fds:
            os.close(fd)
        self.box.on_gone()
        self._control.close()


class Bench:
    """A life in a box that the test plays, on a clock that the test moves."""

    def __init__(self, time: FakeTime) -> None:
        self.time = time
        self.events: list[LogEvent] = []
        self.first = FirstProcess()
        self.life = Life(self.first.box, ARGV, VARIABLES, self.events.append)
        self._is_over = False

    def end_life(self) -> None:
        """The process is dead."""
        if not self._is_over:
            self.life.close()
        self._is_over = True

    async def begin(self, wait: Coroutine[object, object, Over]) -> asyncio.Task[Over]:
        """A wait that is out."""
        task = asyncio.ensure_future(wait)
        await self.time.advance(0.0)
        return task


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A life that has just begun."""
    with FakeTime() as time:
        bench = Bench(time)
        yield bench
        bench.end_life()
        await bench.first.close()


async def test_a_process_is_started_with_its_pipes(bench: Bench) -> None:
    """In /var/task, with the variables given; what it writes to its 1 and 2 are log events."""
    nothing = (
        None,
        (),
    )  # neither a largest allocation nor pages to read ahead, in a box that was laid out without
    assert bench.first.hear() == ("start", "1", ARGV, VARIABLES, "/var/task", nothing)
    stdout, stderr, _ = bench.first.fds
    os.write(stdout, b"out\n")
    os.write(stderr, b"err\n")
    bench.life.logs.drain()
    assert [event.message for event in bench.events] == ["out\n", "err\n"]


async def test_a_wait_ends_at_its_limit(bench: Bench) -> None:
    """Not before, and as a timeout."""
    wait = await bench.begin(bench.life.wait_over(3000.0))
    await bench.time.advance(2.75)
    assert not wait.done()
    await bench.time.advance(0.25)
    assert await wait is Over.TIMEOUT


async def test_a_wait_ends_with_the_next_call(bench: Bench) -> None:
    """The limit is forgotten then, and does not end the wait after it."""
    wait = await bench.begin(bench.life.wait_over(3000.0))
    await bench.time.advance(1.0)
    bench.life.mailbox.on_next(lambda delivery: None)
    assert await wait is Over.NEXT
    bench.life.mailbox.expect_exit(exited=False)
    await bench.time.advance(10.0)
    assert not bench.life.mailbox.over.done()


@pytest.mark.parametrize(
    ("said", "end"),
    [
        (("exited", "1", 1 << 8), ProcessEnd(wait_status=1 << 8)),
        (("exec", "1", 2, "exec"), ProcessEnd(start_errno=2, start_step="exec")),
    ],
    ids=["exit", "no-start"],
)
async def test_a_wait_ends_with_the_process(
    bench: Bench, said: tuple[str | int, ...], end: ProcessEnd
) -> None:
    """However it ended, and how is known."""
    wait = await bench.begin(bench.life.wait_over(3000.0))
    bench.first.say(*said)
    assert await wait is Over.EXIT
    assert end == bench.life.process.ended.result()


async def test_waiting_for_nothing_but_the_exit(bench: Bench) -> None:
    """After an init error the process may still speak; only its end, or the limit, ends this wait."""
    bench.life.mailbox.on_init_error(Answer(b"{}", is_error=True), lambda: None)
    assert bench.life.mailbox.over.result() is Over.INIT_ERROR
    wait = await bench.begin(bench.life.wait_exit(2000.0))
    await bench.time.advance(1.0)
    assert not wait.done()
    bench.first.say("exited", "1", 0)
    assert await wait is Over.EXIT


async def test_an_exit_that_came_first_is_not_waited_for(bench: Bench) -> None:
    """A process that has ended already ends the wait at once."""
    bench.first.say("exited", "1", 0)
    await bench.life.process.ended
    assert await bench.life.wait_exit(2000.0) is Over.EXIT


async def test_last_words_are_read_at_the_end(bench: Bench) -> None:
    """What a process wrote before it died is published when its life is closed, without a newline too."""
    bench.first.hear()
    os.write(bench.first.fds[0], b"last words")
    bench.end_life()
    assert [event.message for event in bench.events] == ["last words"]


async def test_on_any_event_loop_attention_is_nothing(bench: Bench) -> None:
    """A loop that is not ours is left alone."""
    assert not isinstance(asyncio.get_running_loop(), AttentiveLoop)
    with bench.life.attention():
        assert not bench.life.mailbox.over.done()


def test_on_our_event_loop_attention_is_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop is told when an invocation is out and when it is over, however it ends."""
    told: list[str] = []
    monkeypatch.setattr(AttentiveLoop, "begin_wait", lambda loop: told.append("begin"))
    monkeypatch.setattr(AttentiveLoop, "end_wait", lambda loop: told.append("end"))

    async def main() -> None:
        first = FirstProcess()
        life = Life(first.box, ARGV, VARIABLES, lambda event: None)
        try:
            with life.attention():
                raise asyncio.CancelledError
        finally:
            life.close()
            await first.close()

    with (
        asyncio.Runner(loop_factory=AttentiveLoop) as runner,
        pytest.raises(asyncio.CancelledError),
    ):
        runner.run(main())
    assert told == ["begin", "end"]
