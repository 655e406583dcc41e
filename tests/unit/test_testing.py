"""The fakes keep the rules of what they stand for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from plimsoll.memory import CgroupMemory
from plimsoll.sandbox.cgroup import Peak
from plimsoll.testing import FakeCgroup, FakeTime

if TYPE_CHECKING:
    from plimsoll.sandbox.cgroup import Cgroup

MIB = 1 << 20


def test_it_fills_the_interface() -> None:
    """Whoever takes a `Cgroup` takes the fake (the type checker proves it), and gets plain values from it."""
    fake = FakeCgroup(128 * MIB, version=1)
    cgroup: Cgroup = fake
    assert (cgroup.version, cgroup.join_fds(), cgroup.limit_bytes()) == (1, [], 128 * MIB)
    fake.processes, fake.cpu_used_usec = [4711], 7
    assert (cgroup.pids(), cgroup.cpu_usec()) == ([4711], 7)
    cgroup.remove()
    assert fake.is_removed


def test_a_sample_adds_up() -> None:
    """The usage is the sum of the parts and of the stock; mapped pages are a part of files; what is not named stays."""
    cgroup = FakeCgroup(128 * MIB)
    cgroup.charge(anon_bytes=1, shmem_bytes=2, file_bytes=40, kernel_bytes=8, mapped_file_bytes=30)
    cgroup.charge(anon_bytes=4, stock_bytes=100)
    assert cgroup.memory() == CgroupMemory(154, 4, 2, 40, 8, 30)
    assert (cgroup.usage_bytes(), cgroup.samples) == (154, 1)


def test_a_window_keeps_its_peak() -> None:
    """The high-water mark is the kernel's, restarts at what is in use, and needs nobody to look."""
    cgroup = FakeCgroup(128 * MIB)
    cgroup.charge(anon_bytes=30 * MIB)
    cgroup.charge(anon_bytes=10 * MIB)
    assert cgroup.peak() == Peak(30 * MIB, True)
    cgroup.start_window()
    assert cgroup.peak() == Peak(10 * MIB, True)


def test_without_a_peak_of_the_kernel_only_what_was_seen_counts() -> None:
    """A height that nobody read is not known, and the figure says that it is a sampler's."""
    cgroup = FakeCgroup(128 * MIB, keeps_peak=False)
    cgroup.charge(anon_bytes=30 * MIB)
    cgroup.charge(anon_bytes=20 * MIB)
    cgroup.memory()
    cgroup.charge(anon_bytes=10 * MIB)
    assert cgroup.peak() == Peak(20 * MIB, False)


def test_nothing_is_charged_over_the_limit() -> None:
    """A charge over the limit is refused and changes nothing."""
    cgroup = FakeCgroup(10)
    cgroup.charge(anon_bytes=10)
    with pytest.raises(MemoryError, match="11 bytes are over the limit of 10"):
        cgroup.charge(anon_bytes=11)
    assert cgroup.usage_bytes() == 10


def test_a_lower_limit_takes_page_cache_only() -> None:
    """What can be reclaimed is reclaimed; what cannot is a refusal, as the kernel's."""
    cgroup = FakeCgroup(128)
    cgroup.charge(anon_bytes=50, file_bytes=40)
    cgroup.set_limit(60)
    assert (cgroup.limit_bytes(), cgroup.memory().file_bytes) == (60, 10)
    with pytest.raises(MemoryError, match="more than 49 bytes in use"):
        cgroup.set_limit(49)
    assert cgroup.limit_bytes() == 60


def test_a_kill_leaves_what_tmp_holds() -> None:
    """Heaps go with the processes, shared memory and page cache stay, and the peak was the limit."""
    cgroup = FakeCgroup(100)
    cgroup.processes = [4711]
    cgroup.charge(anon_bytes=50, shmem_bytes=20, file_bytes=10)
    cgroup.kill()
    assert (cgroup.oom_kills(), cgroup.pids()) == (1, [])
    assert (cgroup.usage_bytes(), cgroup.peak().bytes) == (30, 100)


async def test_time_passes_when_it_is_told_to() -> None:
    """Timers that are due by then have rung, in the order of their times; others have not."""
    rung: list[float] = []
    loop = asyncio.get_running_loop()
    with FakeTime() as time:
        for seconds in (2.0, 1.0, 3.0):
            loop.call_later(seconds, rung.append, seconds)
        await time.advance(0.5)
        assert (rung, loop.time()) == ([], 0.5)
        await time.advance(1.5)
        assert rung == [1.0, 2.0]
        await time.advance(1.0)
    assert rung == [1.0, 2.0, 3.0]


async def test_time_is_given_back() -> None:
    """After it the loop's clock is its own again."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    with FakeTime():
        assert loop.time() == 0.0
    assert loop.time() >= before
