"""The loop that looks again before it sleeps, while exactly one invocation is out."""

from __future__ import annotations

import asyncio
import gc
import os
import selectors
import signal
from typing import TYPE_CHECKING

import pytest

from plimsoll import event_loop
from plimsoll.event_loop import AttentiveLoop, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    Ready = list[tuple[selectors.SelectorKey, int]]

TICK_S = 2.0**-14
"""61 us: three of them are within the 200 us for which the loop looks."""
LOOKS = [0, 0, 0]
EVENT = (selectors.SelectorKey(0, 0, selectors.EVENT_READ, None), selectors.EVENT_READ)


class Ticking:
    """Stands for the module `time`: each look at the clock takes a tick."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        self._now_s += TICK_S
        return self._now_s


class Kernel:
    """Stands for `epoll`: notes how long it was asked to sleep, and finds an event at the look that it is told."""

    def __init__(self) -> None:
        self.asked: list[float | None] = []
        self.event_at: int | None = None

    def select(self, selector: object, timeout: float | None = None) -> Ready:
        """As the selector's own, but it never sleeps."""
        self.asked.append(timeout)
        return [EVENT] if len(self.asked) == self.event_at else []


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A kernel that only notes, and a clock that ticks."""
    kernel = Kernel()
    monkeypatch.setattr(
        selectors.EpollSelector, "select", lambda self, timeout=None: kernel.select(self, timeout)
    )
    monkeypatch.setattr(event_loop, "time", Ticking())
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    return kernel


@pytest.fixture
def loop(kernel: Kernel) -> Iterator[AttentiveLoop]:
    """A loop on that kernel, on two processors."""
    loop = AttentiveLoop()
    yield loop
    loop.close()


@pytest.fixture
def unfrozen() -> Iterator[None]:
    """`run` takes everything out of the collector's way; the other tests get it back."""
    yield
    gc.unfreeze()


def slept(loop: AttentiveLoop, kernel: Kernel, timeout: float | None) -> list[float | None]:
    """How long the kernel was asked to sleep in one turn of the loop."""
    kernel.asked.clear()
    loop._looking.select(timeout)
    return kernel.asked


@pytest.mark.parametrize("timeout", [None, 0.5])
@pytest.mark.parametrize(
    ("waits", "looks"), [(0, []), (1, LOOKS), (2, []), (3, [])], ids=["none", "one", "two", "three"]
)
def test_it_looks_only_while_exactly_one_wait_is_out(
    loop: AttentiveLoop, kernel: Kernel, waits: int, looks: list[float], timeout: float | None
) -> None:
    """With one out it looks for 200 us and then sleeps; with none or several it sleeps at once."""
    for _ in range(waits):
        loop.begin_wait()
    assert slept(loop, kernel, timeout) == [*looks, timeout]


def test_waits_are_counted(loop: AttentiveLoop, kernel: Kernel) -> None:
    """When the second of two is over it looks again, and when the last one is it does not."""
    loop.begin_wait()
    loop.begin_wait()
    loop.end_wait()
    assert slept(loop, kernel, None) == [*LOOKS, None]
    loop.end_wait()
    assert slept(loop, kernel, None) == [None]


def test_an_event_that_comes_meanwhile_is_taken_at_once(
    loop: AttentiveLoop, kernel: Kernel
) -> None:
    """The look that finds it is the last one, and nothing sleeps."""
    loop.begin_wait()
    kernel.event_at = 2
    assert loop._looking.select(None) == [EVENT]
    assert kernel.asked == [0, 0]


@pytest.mark.parametrize("timeout", [0, 0.0001, 0.0002])
def test_a_sleep_that_is_short_anyway_is_only_slept(
    loop: AttentiveLoop, kernel: Kernel, timeout: float
) -> None:
    """Where a timer is due within the 200 us there is nothing to gain."""
    loop.begin_wait()
    assert slept(loop, kernel, timeout) == [timeout]


def test_on_one_processor_it_never_looks(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the time would be taken from the function."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    loop = AttentiveLoop()
    loop.begin_wait()
    assert slept(loop, kernel, None) == [None]
    loop.close()


@pytest.mark.usefixtures("unfrozen")
def test_run_gives_the_result() -> None:
    """What the coroutine returns, from a loop of this kind, which another thread can wake while it waits."""

    async def main() -> tuple[type[asyncio.AbstractEventLoop], int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, AttentiveLoop)
        loop.begin_wait()
        answer = await asyncio.to_thread(lambda: 7)
        loop.end_wait()
        return type(loop), answer

    assert run(main()) == (AttentiveLoop, 7)


@pytest.mark.usefixtures("unfrozen")
@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError, SystemExit])
def test_what_ends_a_program_passes(error: type[BaseException]) -> None:
    """An interrupt, a cancellation or an exit goes on to the caller."""

    async def main() -> None:
        raise error

    with pytest.raises(error):
        run(main())


@pytest.mark.usefixtures("unfrozen")
def test_ctrl_c_lets_the_coroutine_clean_up() -> None:
    """The signal cancels what runs; the caller gets KeyboardInterrupt when that has ended."""
    ended: list[str] = []

    async def main() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert ended == ["cleaned up"]
