"""Control groups version 2: one folder with all controllers.

Kernel files used: memory.max, memory.swap.max, memory.oom.group, memory.current, memory.peak (Linux 5.19; a write
resets it for the writer's own descriptor since 6.12), memory.stat, memory.events, pids.max, cpu.stat, cgroup.procs.

Before 6.12 memory.peak only ever rises. A window in which it rose has its peak from the kernel all the same; of any
other the kernel says only that it was not higher, and its peak is the highest usage that anybody asked for since its
start: a sampler's figure, and told as one.
"""

from __future__ import annotations

import os
from contextlib import suppress

from plimsoll.errors import HostCannot
from plimsoll.memory import CgroupMemory, parse_flat, parse_v2
from plimsoll.sandbox import cgroup

NEEDED, WANTED = ("memory", "pids"), ("cpu",)


class CgroupV2:
    """See `cgroup.Cgroup`. `root` is the mount point, or the delegated folder, under which groups are made."""

    version = 2

    def __init__(self, root: str, name: str, limit_bytes: int) -> None:
        self._folder = f"{root}/{cgroup.PARENT}/{name}"
        cgroup.make_folder(self._folder)
        path, *below = root, cgroup.PARENT, *name.split("/")[:-1]
        enable_controllers(path)
        for part in below:
            path = f"{path}/{part}"
            enable_controllers(path)
        self.set_limit(limit_bytes)
        if os.path.exists(f"{self._folder}/memory.swap.max"):
            cgroup.write_and_verify(f"{self._folder}/memory.swap.max", 0)
        # a child that is killed for memory must not take the runtime with it (facts sheet C6)
        cgroup.write_and_verify(f"{self._folder}/memory.oom.group", 0)
        cgroup.write_and_verify(f"{self._folder}/pids.max", cgroup.PROCESSES_MAX)
        self._join = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._usage = self._open("memory.current")
        self._stat = self._open("memory.stat")
        self._events = self._open("memory.events")
        self._peak = self._open_resettable_peak()
        self._lasting_peak = self._open_lasting_peak() if self._peak is None else None
        self._mark = 0
        self._highest_seen = 0

    def _open(self, name: str, flags: int = os.O_RDONLY) -> int:
        return os.open(f"{self._folder}/{name}", flags | os.O_CLOEXEC)

    def _open_resettable_peak(self) -> int | None:
        """The descriptor that holds our own window's peak, where the kernel has that."""
        try:
            fd = self._open("memory.peak", os.O_RDWR)
        except OSError:
            return None
        try:
            os.write(fd, b"reset")
        except OSError:
            os.close(fd)
            return None
        return fd

    def _open_lasting_peak(self) -> int | None:
        try:
            return self._open("memory.peak")
        except FileNotFoundError:
            return None  # before Linux 5.19

    def join_fds(self) -> list[int]:
        return [self._join]

    def limit_bytes(self) -> int:
        with open(f"{self._folder}/memory.max", "rb") as file:
            held = file.read().strip()
        return 1 << 63 if held == b"max" else int(held)

    def set_limit(self, limit_bytes: int) -> None:
        # the kernel takes any value and kills down to it; refusing first is kinder and equals v1
        if limit_bytes < self.limit_bytes() and not self._fits(limit_bytes):
            raise MemoryError(f"{self._folder}: more than {limit_bytes} bytes in use")
        cgroup.write_and_verify(f"{self._folder}/memory.max", limit_bytes)

    def _fits(self, limit_bytes: int) -> bool:
        stat = f"{self._folder}/memory.stat"
        usage = f"{self._folder}/memory.current"
        with open(stat, "rb") as stat_file, open(usage, "rb") as usage_file:
            sample = parse_v2(stat_file.read(), usage_file.read())
        return sample.usage_bytes - sample.file_bytes <= limit_bytes

    def usage_bytes(self) -> int:
        usage = int(os.pread(self._usage, 32, 0))
        self._highest_seen = max(self._highest_seen, usage)
        return usage

    def memory(self) -> CgroupMemory:
        sample = parse_v2(cgroup.read_text(self._stat), cgroup.read_text(self._usage))
        self._highest_seen = max(self._highest_seen, sample.usage_bytes)
        return sample

    def peak(self) -> cgroup.Peak:
        if self._peak is not None:
            return cgroup.Peak(int(os.pread(self._peak, 32, 0)), from_kernel=True)
        at_most = None
        if self._lasting_peak is not None:
            at_most = int(os.pread(self._lasting_peak, 32, 0))
            if at_most > self._mark:
                return cgroup.Peak(at_most, from_kernel=True)
        self.usage_bytes()
        return cgroup.Peak(self._highest_seen, from_kernel=False, at_most_bytes=at_most)

    def start_window(self) -> None:
        if self._peak is not None:
            os.pwrite(self._peak, b"reset", 0)
        elif self._lasting_peak is not None:
            self._mark = int(os.pread(self._lasting_peak, 32, 0))
        self._highest_seen = 0

    def oom_kills(self) -> int:
        return parse_flat(cgroup.read_text(self._events))[b"oom_kill"]

    def major_faults(self) -> int:
        return int(cgroup.read_text(self._stat).partition(b"\npgmajfault ")[2].split()[0])

    def pids(self) -> list[int]:
        with open(f"{self._folder}/cgroup.procs", "rb") as file:
            return [int(pid) for pid in file.read().split()]

    def cpu_usec(self) -> int:
        try:
            with open(f"{self._folder}/cpu.stat", "rb") as file:
                return parse_flat(file.read())[b"usage_usec"]
        except FileNotFoundError:
            return 0

    def remove(self) -> None:
        kept = (self._join, self._usage, self._stat, self._events, self._peak, self._lasting_peak)
        for fd in kept:
            if fd is not None:
                os.close(fd)
        cgroup.remove_tree(self._folder)


def enable_controllers(folder: str) -> None:
    """Hands memory, pids and, where there, cpu down to the groups below `folder`.

    Raises `HostCannot`: with processes of its own the folder cannot ("no internal processes", cgroup-v2.rst), which
    is what a container without delegation meets.
    """
    with open(f"{folder}/cgroup.controllers") as file:
        offered = file.read().split()
    for controller in NEEDED:
        if controller not in offered:
            raise HostCannot(
                f"{folder} does not offer the {controller} controller",
                mend="start the host or container with cgroup delegation; see `plimsoll doctor`",
            )
    for controller in NEEDED:
        _enable(folder, controller)
    for controller in WANTED:
        with suppress(HostCannot):
            _enable(folder, controller)


def _enable(folder: str, controller: str) -> None:
    try:
        with open(f"{folder}/cgroup.subtree_control", "w") as file:
            file.write(f"+{controller}")
    except OSError as error:
        raise HostCannot(
            f"{folder} cannot hand on the {controller} controller: {error.strerror}",
            mend="run in a scope of its own: systemd-run --scope -p Delegate=yes plimsoll …",
        ) from error
