"""Measures one environment: both peaks, the split nearest to them, and `/tmp`.

Rule: on the invoke path (`start_window`, `finish`) there are only reads of kept descriptors: about ten system calls.
Anything in proportion to files or processes (`look`) happens after the invocation is over, for a reader who asked.

Theory of operation. The kernel keeps the high-water mark of the cgroup. It is read and restarted at each invocation,
which gives the invocation's own peak; the environment's is the highest of those since its processes started (a
reset starts anew). The split is of the sample with the highest usage: taken at the end of each invocation and, in
longer ones, by a timer that slows down as the invocation grows old.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from plimsoll.alarm import Alarm
from plimsoll.memory import PLATFORM_BYTES, break_down
from plimsoll.meter.processes import (
    first_child,
    mapped_file_bytes,
    processes,
    seen_from_outside,
)
from plimsoll.meter.starvation import Starvation
from plimsoll.meter.tmp import TmpMeter
from plimsoll.model import TmpUsage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plimsoll.memory import CgroupMemory
    from plimsoll.model import Function, MemoryBreakdown, ProcessMemory
    from plimsoll.model.memory import Accounting, Source
    from plimsoll.sandbox.cgroup import Cgroup, Peak

_FIRST_SAMPLE_S, _SLOWEST_SAMPLE_S, _SLOWING = 0.01, 0.1, 1.3

_STILL_BYTES = 64 << 10
"""A usage that moved by no more between two looks stands still: a quarter of the kernel's own per-CPU stock."""
_NEAR_BYTES = 4 << 20


class _Sample(NamedTuple):
    memory: CgroupMemory
    tmp_bytes: int
    """What `/tmp` has in memory."""
    tmp_used_bytes: int
    """What `/tmp` holds."""


class Measurement(NamedTuple):
    """What one invocation's window showed."""

    peak_bytes: int
    """The environment's high-water mark: the sum of `memory`."""
    invocation_peak_bytes: int
    memory: MemoryBreakdown
    at_end: MemoryBreakdown
    source: Source
    invocation_source: Source
    accounting: Accounting
    tmp: TmpUsage
    """How full, without its files."""


class Meter:
    """One environment's meter, from its box's first process to its end."""

    def __init__(
        self,
        function: Function,
        cgroup: Cgroup,
        accounting: Accounting,
        on_starved: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_starved` is called when the environment has no page cache left to run its programs from."""
        self._function = function
        self._starvation = Starvation(cgroup.major_faults, on_starved)
        self._other_kills = 0
        self._accounting = accounting
        self._cgroup = cgroup
        self._tmp: TmpMeter | None = None
        self._uncharged_bytes = 0
        self._room_bytes = function.memory_bytes - PLATFORM_BYTES
        """What the cgroup may hold: Memory Size less the platform's part and the uncharged pages. Init runs under a
        limit without the latter, so its peak may be higher; no more than this is ever reported."""
        self._sampler = Alarm(self._on_alarm)
        self._interval_s = _FIRST_SAMPLE_S
        self._oom_kills = 0
        self._high_bytes = 0
        self._high: _Sample | None = None
        self._best: _Sample | None = None
        self._last: _Sample | None = None
        self._all_from_kernel = True

    def open_tmp(self, init_pid: int) -> None:
        """Keeps a descriptor on the box's `/tmp`, seen through its process 1."""
        self._tmp = TmpMeter(seen_from_outside(init_pid, "/tmp"), self._function, self._cgroup.pids)

    def begin_life(self) -> None:
        """New processes: the high-water mark restarts at what is in use now (`/tmp` after a reset)."""
        self._high_bytes, self._high, self._best, self._last = 0, None, None, None
        self._all_from_kernel = True
        self._oom_kills = self._cgroup.oom_kills() + self._other_kills
        self._cgroup.start_window()

    def settle_accounting(self, init_pid: int | None) -> None:
        """After init, off the invoke path: the `shared` accounting (the memory model's third point).

        File pages that the runtime has mapped and that another cgroup paid for are added to every figure, and taken
        from the limit, so that the function has the room that it would have if it had paid for them. The runtime is
        the first child of the box's process 1, `init_pid`.
        Raises `MemoryError` where it does not fit any more.
        """
        sample = self._cgroup.memory()
        runtime_pid = first_child(self._cgroup.pids(), init_pid)
        mapped = 0 if runtime_pid is None else mapped_file_bytes(runtime_pid)
        self._uncharged_bytes = max(0, mapped - sample.mapped_file_bytes)
        room = self._function.memory_bytes - PLATFORM_BYTES - self._uncharged_bytes
        room = max(1 << 20, room)
        self._room_bytes = room >> 12 << 12  # the kernel holds whole pages
        self._cgroup.set_limit(self._room_bytes)

    def start_window(self) -> None:
        """An invocation begins."""
        self._count(self._cgroup.peak())
        self._best = None
        self._oom_kills = self._cgroup.oom_kills() + self._other_kills
        self._cgroup.start_window()
        self._interval_s = _FIRST_SAMPLE_S
        self._sampler.set(_FIRST_SAMPLE_S)

    def finish(self, *, exact: bool, after_kill: bool = False) -> Measurement:
        """The invocation is over: reads the peaks, splits them.

        `exact`: take a full sample in any case; else the last one serves as long as nothing has moved (`_end`).
        `after_kill`: the runtime's memory is freed already, so the split is of the last sample before.
        """
        self._sampler.clear()
        before = self._best or self._high
        end = self._last = self._take(exact=True) if exact else self._end()
        if after_kill and before is not None:
            self._best = before
        peak = self._cgroup.peak()
        self._best = self._best or end
        if self._function.tmp_backing == "tmpfs":
            self._best = _with_files(self._best, end, peak.bytes)
        self._count(peak)
        high = self._high or end
        function = self._function
        return Measurement(
            peak_bytes=self._figure(self._high_bytes),
            invocation_peak_bytes=self._figure(peak.bytes),
            memory=self._split(high, self._high_bytes),
            at_end=self._split(end, end.memory.usage_bytes),
            source="kernel" if self._all_from_kernel else "sampler",
            invocation_source="kernel" if peak.from_kernel else "sampler",
            accounting=self._accounting,
            tmp=TmpUsage(function.tmp_backing, function.tmp_bytes, end.tmp_used_bytes),
        )

    def was_out_of_memory(self) -> bool:
        """Whether the kernel killed a process of this cgroup for memory since the last time this said so."""
        kills = self._cgroup.oom_kills() + self._other_kills
        new, self._oom_kills = kills > self._oom_kills, kills
        return new

    def count_kill(self) -> None:
        """Somebody else than the kernel has killed a process here for memory (`on_starved`)."""
        self._other_kills += 1

    def look_at_tmp(self) -> TmpUsage:
        """`/tmp` by file; walks only when its size changed since the last look."""
        assert self._tmp is not None
        return self._tmp.look()

    def check_disk(self, folder: Path) -> None:
        """`TmpMeter.check_host`. Raises `HostCannot`."""
        if self._tmp is not None:
            self._tmp.check_host(folder)

    def look_at_processes(self) -> tuple[ProcessMemory, ...]:
        """Anonymous memory by process, most first."""
        return processes(self._cgroup.pids())

    def close(self) -> None:
        """Lets go of the box's `/tmp`."""
        self._sampler.close()
        if self._tmp is not None:
            self._tmp.close()

    def _on_alarm(self) -> None:
        sample = self._take().memory
        self._starvation.look(sample, self._room_bytes, self._interval_s)
        self._interval_s = min(_SLOWEST_SAMPLE_S, self._interval_s * _SLOWING)
        self._sampler.set(self._interval_s)

    def _end(self) -> _Sample:
        """The last invocation's sample with today's usage, where that and `/tmp` stand still; else a new one.

        `memory.stat` is half of the meter's time. Near the limit it is read always: there reclaim changes the split
        while the usage stands still.
        """
        last = self._last
        if last is None:
            return self._take()
        usage_bytes = self._cgroup.usage_bytes()
        moved = abs(usage_bytes - last.memory.usage_bytes) > _STILL_BYTES
        if moved or usage_bytes > self._room_bytes - _NEAR_BYTES:
            return self._take()
        if self._tmp is not None and self._tmp.used_bytes() != last.tmp_used_bytes:
            return self._take()
        if self._best is None:
            self._best = last
        return last

    def _take(self, *, exact: bool = False) -> _Sample:
        memory = self._cgroup.memory()
        in_memory = used = 0
        if self._tmp is not None:
            used = self._tmp.used_bytes()
            in_memory = self._tmp.in_memory_bytes(memory, used, exact=exact)
        sample = _Sample(memory, in_memory, used)
        best = self._best
        if best is None or memory.usage_bytes >= best.memory.usage_bytes:
            self._best = sample
        return sample

    def _count(self, peak: Peak) -> None:
        """Lets a window's peak count for the environment's.

        A sampled one leaves the environment's as sure as it was, if the kernel vouches that it was no higher than that.
        """
        vouched = peak.at_most_bytes is not None and peak.at_most_bytes <= self._high_bytes
        self._all_from_kernel &= peak.from_kernel or vouched
        # an equal one counts too: at the limit the figure stands still while the split goes on changing
        if peak.bytes >= self._high_bytes or self._high is None:
            self._high_bytes = max(self._high_bytes, peak.bytes)
            self._high = self._best or self._take()

    def _figure(self, cgroup_bytes: int) -> int:
        """What is reported for a usage of the cgroup."""
        return min(cgroup_bytes, self._room_bytes) + self._uncharged_bytes + PLATFORM_BYTES

    def _split(self, sample: _Sample, cgroup_bytes: int) -> MemoryBreakdown:
        return break_down(
            sample.memory,
            figure_bytes=min(cgroup_bytes, self._room_bytes),
            tmp_bytes=sample.tmp_bytes,
            tmp_is_cache=self._function.tmp_backing == "disk",
            uncharged_file_bytes=self._uncharged_bytes,
            platform_bytes=PLATFORM_BYTES,
        )


def _with_files(best: _Sample, end: _Sample, peak_bytes: int) -> _Sample:
    """The best sample, with what the end shows of `/tmp` and shared memory, as far as the peak has room for it.

    A peak above every sample is of a kind that nobody saw. What lies in `/tmp` at the end was most likely there then:
    it cannot have come and gone, as heap can.
    """
    more = min(
        end.memory.shmem_bytes - best.memory.shmem_bytes, peak_bytes - best.memory.usage_bytes
    )
    if more <= 0:
        return best
    memory = best.memory._replace(
        shmem_bytes=best.memory.shmem_bytes + more, usage_bytes=best.memory.usage_bytes + more
    )
    tmp_bytes = best.tmp_bytes + max(0, min(more, end.tmp_bytes - best.tmp_bytes))
    return _Sample(memory, tmp_bytes, end.tmp_used_bytes)
