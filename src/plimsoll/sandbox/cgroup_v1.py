"""Control groups version 1: a folder in each controller's own hierarchy.

Kernel files used: memory.limit_in_bytes, memory.memsw.limit_in_bytes, memory.swappiness, memory.usage_in_bytes,
memory.max_usage_in_bytes (resettable: both peaks are exact), memory.stat, memory.kmem.usage_in_bytes,
memory.oom_control, pids.max, cpuacct.usage, tasks, cgroup.procs.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from plimsoll.memory import CgroupMemory, parse_v1
from plimsoll.sandbox import cgroup

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTROLLERS = ("memory", "pids", "cpuacct", "cpu")
"""`cpu` so that a box weighs as one against Plimsoll, however many processes it has."""


class CgroupV1:
    """See `cgroup.Cgroup`. `roots` gives each controller's mount point; memory is required."""

    version = 1

    def __init__(self, roots: Mapping[str, str], name: str, limit_bytes: int) -> None:
        self._folders = {
            controller: f"{roots[controller]}/{cgroup.PARENT}/{name}"
            for controller in CONTROLLERS
            if controller in roots
        }
        for folder in self._folders.values():
            cgroup.make_folder(folder)
        self._memory = self._folders["memory"]
        self._has_memsw = os.path.exists(f"{self._memory}/memory.memsw.limit_in_bytes")
        self.set_limit(limit_bytes)
        if not self._has_memsw:
            cgroup.write_and_verify(f"{self._memory}/memory.swappiness", 0)
        if "pids" in self._folders:
            cgroup.write_and_verify(f"{self._folders['pids']}/pids.max", cgroup.PROCESSES_MAX)
        self._joins = [
            os.open(f"{folder}/tasks", os.O_WRONLY | os.O_CLOEXEC)
            for folder in dict.fromkeys(
                self._folders.values()
            )  # some hosts mount cpu,cpuacct together
        ]
        self._usage = self._open("memory.usage_in_bytes")
        self._peak = self._open("memory.max_usage_in_bytes", os.O_RDWR)
        self._stat = self._open("memory.stat")
        self._kernel = self._open("memory.kmem.usage_in_bytes")
        self._oom = self._open("memory.oom_control")

    def _open(self, name: str, flags: int = os.O_RDONLY) -> int:
        return os.open(f"{self._memory}/{name}", flags | os.O_CLOEXEC)

    def join_fds(self) -> list[int]:
        return self._joins

    def limit_bytes(self) -> int:
        with open(f"{self._memory}/memory.limit_in_bytes", "rb") as file:
            return int(file.read())

    def set_limit(self, limit_bytes: int) -> None:
        limit = f"{self._memory}/memory.limit_in_bytes"
        both = f"{self._memory}/memory.memsw.limit_in_bytes"
        # memory+swap may never be below memory: lowered last, raised first
        order = [limit, both] if limit_bytes < self.limit_bytes() else [both, limit]
        for path in order if self._has_memsw else [limit]:
            try:
                cgroup.write_and_verify(path, limit_bytes)
            except OSError as error:
                if error.errno == errno.EBUSY:
                    raise MemoryError(f"{path}: more than {limit_bytes} bytes in use") from error
                raise

    def usage_bytes(self) -> int:
        return int(os.pread(self._usage, 32, 0))

    def memory(self) -> CgroupMemory:
        read = cgroup.read_text
        return parse_v1(read(self._stat), read(self._usage), read(self._kernel))

    def peak(self) -> cgroup.Peak:
        return cgroup.Peak(int(os.pread(self._peak, 32, 0)), from_kernel=True)

    def start_window(self) -> None:
        os.pwrite(self._peak, b"0", 0)

    def oom_kills(self) -> int:
        return int(os.pread(self._oom, 128, 0).rpartition(b"oom_kill ")[2])

    def major_faults(self) -> int:
        return int(cgroup.read_text(self._stat).partition(b"\ntotal_pgmajfault ")[2].split()[0])

    def pids(self) -> list[int]:
        with open(f"{self._memory}/cgroup.procs", "rb") as file:
            return [int(pid) for pid in file.read().split()]

    def cpu_usec(self) -> int:
        if "cpuacct" not in self._folders:
            return 0
        with open(f"{self._folders['cpuacct']}/cpuacct.usage", "rb") as file:
            return int(file.read()) // 1000

    def remove(self) -> None:
        for fd in (*self._joins, self._usage, self._peak, self._stat, self._kernel, self._oom):
            os.close(fd)
        for folder in dict.fromkeys(self._folders.values()):
            cgroup.remove_tree(folder)
