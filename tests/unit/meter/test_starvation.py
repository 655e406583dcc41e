"""A group at its limit with nothing left to take back but its programs' own text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.meter.conftest import KIB, MIB, ROOM

if TYPE_CHECKING:
    from tests.unit.meter.conftest import Bench


async def run(bench: Bench, seconds: float, faults_a_second: int = 3000) -> None:
    """Time goes by, with major faults."""
    for _ in range(round(seconds * 100)):
        bench.cgroup.faults += faults_a_second // 100
        await bench.time.advance(0.01)


async def test_it_is_told_soon(bench: Bench) -> None:
    """Soon enough for the shortest timeout that anybody sets, and once."""
    bench.begin(anon_bytes=ROOM - 300 * KIB, file_bytes=200 * KIB)
    bench.meter.start_window()
    await run(bench, 1.5)
    assert bench.starved == 1


@pytest.mark.parametrize(
    ("anon", "file", "faults"),
    [
        (ROOM - 3 * MIB, 200 * KIB, 3000),
        (ROOM - 5 * MIB, 5 * MIB, 3000),
        (ROOM - 300 * KIB, 200 * KIB, 0),
    ],
    ids=["below-the-limit", "with-cache-to-take-back", "with-its-text"],
)
async def test_what_is_not_starved(bench: Bench, anon: int, file: int, faults: int) -> None:
    """A function may live at its limit: with cache that gives way, or with a small program that is all there."""
    bench.begin(anon_bytes=anon, file_bytes=file)
    bench.meter.start_window()
    await run(bench, 5.0, faults)
    assert bench.starved == 0


async def test_a_moment_of_it_is_nothing(bench: Bench) -> None:
    """Less than a second may be a collection of garbage: what comes back to life begins anew."""
    bench.begin(anon_bytes=ROOM - 300 * KIB, file_bytes=200 * KIB)
    bench.meter.start_window()
    for _ in range(20):
        await run(bench, 0.8)
        bench.cgroup.charge(anon_bytes=ROOM - 30 * MIB)
        await run(bench, 0.8)
        bench.cgroup.charge(anon_bytes=ROOM - 300 * KIB)
        bench.meter.finish(exact=True)
        bench.meter.start_window()
    assert bench.starved == 0


async def test_the_kill_that_follows_is_out_of_memory(bench: Bench) -> None:
    """Said once, as the kernel's own."""
    bench.begin(anon_bytes=10 * MIB)
    bench.meter.start_window()
    bench.meter.count_kill()
    assert (bench.meter.was_out_of_memory(), bench.meter.was_out_of_memory()) == (True, False)
    bench.meter.start_window()
    assert not bench.meter.was_out_of_memory()
