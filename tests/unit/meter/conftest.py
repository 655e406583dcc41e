"""A meter on a group, a `/tmp` and a clock that the test moves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.memory import PLATFORM_BYTES
from plimsoll.meter import Measurement, Meter
from plimsoll.meter import meter as meter_module
from plimsoll.model import Function, MemoryBreakdown, TmpUsage
from plimsoll.testing import FakeCgroup, FakeTime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from plimsoll.memory import CgroupMemory
    from plimsoll.model.memory import Accounting

KIB, MIB = 1 << 10, 1 << 20
FUNCTION = Function("f", "python3.13", "app.handler", Path("/var/task"), memory_mib=128)
ROOM = 128 * MIB - PLATFORM_BYTES
"""What the cgroup of `FUNCTION` may hold: Memory Size less the platform's part."""
PID = 4711


def figure(cgroup_bytes: int) -> int:
    """What is reported for a usage of the cgroup: the platform's part is in every figure."""
    return cgroup_bytes + PLATFORM_BYTES


def split(**parts: int) -> MemoryBreakdown:
    """A split with these parts and the platform's."""
    return MemoryBreakdown(**parts, platform_bytes=PLATFORM_BYTES)


class FakeTmp:
    """Stands for the reader of `/tmp`: as full as the test says."""

    def __init__(self, path: str, function: Function, pids: Callable[[], list[int]]) -> None:
        self.path = path
        self.bytes = 0
        self.cached_bytes = 0
        """What of it is in the page cache, where it is on a disk."""
        self.exact: list[bool] = []
        """Whether the kernel was to be asked file by file, for each sample."""
        self.checked: list[Path] = []
        self.is_closed = False
        self._backing = function.tmp_backing
        self._pids = pids

    def used_bytes(self) -> int:
        """How full."""
        return self.bytes

    def in_memory_bytes(self, memory: CgroupMemory, used_bytes: int, *, exact: bool = False) -> int:
        """All of it on tmpfs; on a disk what the test says."""
        self.exact.append(exact)
        if self._backing == "disk":
            return self.cached_bytes
        return used_bytes

    def look(self) -> TmpUsage:
        """A listing without files."""
        return TmpUsage(self._backing, 512 * MIB, self.bytes, (), len(self._pids()))

    def check_host(self, folder: Path) -> None:
        """Noted."""
        self.checked.append(folder)

    def close(self) -> None:
        """Noted."""
        self.is_closed = True


class Bench:
    """A meter on a group, a /tmp and a clock that the test moves."""

    def __init__(
        self, time: FakeTime, function: Function = FUNCTION, accounting: Accounting = "shared"
    ) -> None:
        self.time = time
        self.cgroup = FakeCgroup(ROOM)
        self.starved = 0
        """How often the group was told to be starved."""
        self.meter = Meter(function, self.cgroup, accounting, self._on_starved)
        self.tmp = FakeTmp("", function, self.cgroup.pids)

    def _on_starved(self) -> None:
        self.starved += 1

    def begin(self, **charged: int) -> None:
        """New processes, and what init needed."""
        self.meter.begin_life()
        self.cgroup.charge(**charged)

    def invoke(self, *charges: dict[str, int], exact: bool = True) -> Measurement:
        """An invocation in which these are charged, one after the other."""
        self.meter.start_window()
        for charge in charges:
            self.cgroup.charge(**charge)
        return self.meter.finish(exact=exact)

    def samples_of(self, act: Callable[[], object]) -> int:
        """How many full samples something took."""
        before = self.cgroup.samples
        act()
        return self.cgroup.samples - before

    def fill_tmp(self, size_bytes: int) -> None:
        """Writes a file to `/tmp`: shared memory to the group."""
        self.cgroup.charge(shmem_bytes=size_bytes)
        self.tmp.bytes = size_bytes


@pytest.fixture
async def make_bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Bench]]:
    """Makes a meter of an environment whose box stands and whose processes have not begun."""
    made: list[Bench] = []
    with FakeTime() as time:

        def make(function: Function = FUNCTION, accounting: Accounting = "shared") -> Bench:
            bench = Bench(time, function, accounting)

            def open_tmp(path: str, function: Function, pids: Callable[[], list[int]]) -> FakeTmp:
                bench.tmp = FakeTmp(path, function, pids)
                return bench.tmp

            monkeypatch.setattr(meter_module, "TmpMeter", open_tmp)
            bench.meter.open_tmp(PID)
            made.append(bench)
            return bench

        yield make
        for bench in made:
            bench.meter.close()


@pytest.fixture
async def bench(make_bench: Callable[..., Bench]) -> Bench:
    """The meter of a function with 128 MB and `/tmp` in memory, under the `shared` accounting."""
    return make_bench()
