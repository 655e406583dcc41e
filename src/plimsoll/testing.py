"""Stand-ins for the kernel and for time: for tests of ours and of yours, without root, cgroups or waiting.

Rule: a fake fills the interface of the real thing and refuses what that refuses; it holds what the test put in, and
measures nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from unittest import mock

from plimsoll.memory import CgroupMemory
from plimsoll.sandbox.cgroup import Peak

if TYPE_CHECKING:
    from types import TracebackType


class FakeCgroup:
    """See `Cgroup` (`sandbox/cgroup.py`), which it fills. It is charged what `charge` says.

    `keeps_peak`: whether the kernel keeps the high-water mark; without it the peak is the highest usage that was
    read, as on version 2 before Linux 6.12.

    >>> cgroup = FakeCgroup(128 << 20)
    >>> cgroup.charge(anon_bytes=30 << 20)
    >>> cgroup.charge(anon_bytes=10 << 20)
    >>> cgroup.usage_bytes() >> 20, cgroup.peak().bytes >> 20
    (10, 30)
    """

    def __init__(self, limit_bytes: int, *, version: int = 2, keeps_peak: bool = True) -> None:
        self.version = version
        self.keeps_peak = keeps_peak
        self.processes: list[int] = []
        self.cpu_used_usec = 0
        self.samples = 0
        """How many full samples were taken."""
        self.is_removed = False
        self._limit_bytes = limit_bytes
        self._charged = CgroupMemory(0, 0, 0, 0, 0, 0)
        self._stock_bytes = 0
        self._highest_bytes = 0
        self._kills = 0
        self.faults = 0
        """Major faults so far."""

    def charge(self, *, stock_bytes: int | None = None, **parts: int) -> None:
        """From now on this is charged: fields of `CgroupMemory`; what is not named stays as it is.

        `stock_bytes` is what the kernel has charged ahead, of which no part tells. The usage is the sum of all.
        Raises `MemoryError` over the limit, where the kernel would kill (`kill`).
        """
        charged = self._charged._replace(**parts)
        stock_bytes = self._stock_bytes if stock_bytes is None else stock_bytes
        usage = stock_bytes + charged.anon_bytes + charged.shmem_bytes
        usage += charged.file_bytes + charged.kernel_bytes
        if usage > self._limit_bytes:
            raise MemoryError(f"{usage} bytes are over the limit of {self._limit_bytes}")
        self._charged, self._stock_bytes = charged._replace(usage_bytes=usage), stock_bytes
        if self.keeps_peak:
            self._highest_bytes = max(self._highest_bytes, usage)

    def kill(self) -> None:
        """The out-of-memory killer takes all processes: heaps are freed, files of `/tmp` and page cache are not."""
        self._kills += 1
        self.processes = []
        self._highest_bytes = max(self._highest_bytes, self._limit_bytes if self.keeps_peak else 0)
        self.charge(anon_bytes=0, mapped_file_bytes=0)

    def join_fds(self) -> list[int]:
        return []

    def limit_bytes(self) -> int:
        return self._limit_bytes

    def set_limit(self, limit_bytes: int) -> None:
        too_much = self._charged.usage_bytes - limit_bytes
        if too_much > self._charged.file_bytes:
            raise MemoryError(f"more than {limit_bytes} bytes in use")
        if too_much > 0:
            self.charge(file_bytes=self._charged.file_bytes - too_much)
        self._limit_bytes = limit_bytes

    def usage_bytes(self) -> int:
        self._highest_bytes = max(self._highest_bytes, self._charged.usage_bytes)
        return self._charged.usage_bytes

    def memory(self) -> CgroupMemory:
        self.samples += 1
        self.usage_bytes()
        return self._charged

    def peak(self) -> Peak:
        self.usage_bytes()
        return Peak(self._highest_bytes, self.keeps_peak)

    def start_window(self) -> None:
        self._highest_bytes = self._charged.usage_bytes

    def oom_kills(self) -> int:
        return self._kills

    def major_faults(self) -> int:
        return self.faults

    def pids(self) -> list[int]:
        return list(self.processes)

    def cpu_usec(self) -> int:
        return self.cpu_used_usec

    def remove(self) -> None:
        self.is_removed = True


class FakeTime:
    """Time on the running event loop (one of asyncio's own) that passes only when `advance` says so.

    A context manager; it begins at 0.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self._clock = mock.patch.object(asyncio.get_running_loop(), "time", self._time)

    def _time(self) -> float:
        return self.now_s

    async def advance(self, seconds: float) -> None:
        """Lets time pass; the timers that were due by then have been called on return."""
        self.now_s += seconds
        await asyncio.sleep(0)  # the loop finds the timers that are due
        await asyncio.sleep(0)  # and has called them

    def __enter__(self) -> FakeTime:
        self._clock.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clock.stop()
