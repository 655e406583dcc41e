"""A timer that is set and cleared with every invocation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from plimsoll.alarm import Alarm
from plimsoll.testing import FakeTime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Bench:
    """An alarm on a clock of its own: when it rang, and which timers of the loop it took."""

    def __init__(self, time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = time
        self.rang_s: list[float] = []
        self.timers: list[asyncio.TimerHandle] = []
        self._loop = asyncio.get_running_loop()
        self._call_at = self._loop.call_at
        monkeypatch.setattr(self._loop, "call_at", self._take_timer)
        self.alarm = Alarm(lambda: self.rang_s.append(time.now_s))

    def _take_timer(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        self.timers.append(self._call_at(when, callback))
        return self.timers[-1]


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """An alarm whose time passes when the test says so."""
    with FakeTime() as time:
        bench = Bench(time, monkeypatch)
        yield bench
        bench.alarm.close()


async def test_it_rings_once_when_its_time_has_come(bench: Bench) -> None:
    """Not before, at its time, and not again."""
    bench.alarm.set(1.0)
    await bench.time.advance(0.75)
    assert bench.rang_s == []
    await bench.time.advance(0.25)
    assert bench.rang_s == [1.0]
    await bench.time.advance(5.0)
    assert bench.rang_s == [1.0]


async def test_it_does_not_ring_unless_it_is_set(bench: Bench) -> None:
    """Making one takes no timer of the loop."""
    await bench.time.advance(5.0)
    assert (bench.rang_s, bench.timers) == ([], [])


@pytest.mark.parametrize(("second_s", "rings_at_s"), [(2.0, 2.5), (0.25, 0.75)])
async def test_the_setting_that_was_last_counts(
    bench: Bench, second_s: float, rings_at_s: float
) -> None:
    """An earlier setting is forgotten, whether the new one is later or sooner."""
    bench.alarm.set(1.0)
    await bench.time.advance(0.5)
    bench.alarm.set(second_s)
    for _ in range(12):
        await bench.time.advance(0.25)
    assert bench.rang_s == [rings_at_s]


async def test_cleared_it_is_silent(bench: Bench) -> None:
    """It does not ring any more until it is set again."""
    bench.alarm.set(1.0)
    bench.alarm.clear()
    await bench.time.advance(2.0)
    assert bench.rang_s == []
    bench.alarm.set(1.0)
    await bench.time.advance(1.0)
    assert bench.rang_s == [3.0]


async def test_set_and_cleared_a_thousand_times_it_takes_one_timer(bench: Bench) -> None:
    """What each invocation does costs the loop nothing: no new timer, no cancelled one."""
    for _ in range(1000):
        bench.alarm.set(3.0)
        bench.alarm.clear()
    assert len(bench.timers) == 1
    assert not bench.timers[0].cancelled()


async def test_a_timer_that_rings_early_is_armed_for_what_is_left(bench: Bench) -> None:
    """The old timer comes at 3 s and is armed again, once, for the 5 s that were set last."""
    bench.alarm.set(3.0)
    await bench.time.advance(2.0)
    bench.alarm.set(3.0)
    await bench.time.advance(1.0)
    assert ([timer.when() for timer in bench.timers], bench.rang_s) == ([3.0, 5.0], [])
    await bench.time.advance(2.0)
    assert bench.rang_s == [5.0]


async def test_a_sooner_setting_gives_the_later_timer_back(bench: Bench) -> None:
    """At most one timer of the loop is armed."""
    bench.alarm.set(3.0)
    bench.alarm.set(1.0)
    assert [(timer.when(), timer.cancelled()) for timer in bench.timers] == [
        (3.0, True),
        (1.0, False),
    ]


async def test_it_may_be_set_while_it_rings(bench: Bench) -> None:
    """As the sampler does, which sets itself for the next sample."""
    rang_s: list[float] = []

    def ring() -> None:
        rang_s.append(bench.time.now_s)
        again.set(1.0)

    again = Alarm(ring)
    again.set(1.0)
    for _ in range(3):
        await bench.time.advance(1.0)
    again.close()
    await bench.time.advance(5.0)
    assert rang_s == [1.0, 2.0, 3.0]


async def test_closed_it_has_given_its_timer_back(bench: Bench) -> None:
    """It is silent, holds no timer, and may be closed again."""
    bench.alarm.set(1.0)
    bench.alarm.close()
    bench.alarm.close()
    assert [timer.cancelled() for timer in bench.timers] == [True]
    await bench.time.advance(2.0)
    assert bench.rang_s == []
