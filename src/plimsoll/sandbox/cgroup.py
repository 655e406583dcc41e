"""One environment's cgroup: the small interface that both versions of the kernel's control groups fill.

Rule: each limit that is written is read back; what cannot be enforced is refused. Descriptors that the invoke path
reads are opened once (a `pread` costs 1 us, opening anew 15).
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

from plimsoll.errors import HostCannot, LimitNotEnforced

if TYPE_CHECKING:
    from plimsoll.memory import CgroupMemory

PROCESSES_MAX = 1024
"""DG/gettingstarted-limits: 1,024 processes and threads."""
PARENT = "plimsoll"


class Peak(NamedTuple):
    """A high-water mark in bytes, and whether the kernel kept it or we sampled it."""

    bytes: int
    from_kernel: bool
    at_most_bytes: int | None = None
    """Of a sampled one: what the kernel vouches that the true peak is not above, if it does."""


class Cgroup(Protocol):
    """What the house needs of a control group; `CgroupV1` and `CgroupV2` give it."""

    version: int

    def join_fds(self) -> list[int]:
        """Descriptors by which a new process joins (see `box_init`)."""
        ...

    def limit_bytes(self) -> int:
        """The memory limit as the kernel holds it."""
        ...

    def set_limit(self, limit_bytes: int) -> None:
        """Writes the limit and reads it back.

        Raises `LimitNotEnforced` where the kernel took another, `MemoryError` where more than that is in use and
        cannot be reclaimed.
        """
        ...

    def usage_bytes(self) -> int:
        """All that is charged now."""
        ...

    def memory(self) -> CgroupMemory:
        """A full sample (10 us)."""
        ...

    def peak(self) -> Peak:
        """The highest usage since `start_window`."""
        ...

    def start_window(self) -> None:
        """Starts a new high-water mark at the present usage."""
        ...

    def oom_kills(self) -> int:
        """How many processes the kernel has killed here for want of memory."""
        ...

    def major_faults(self) -> int:
        """How many pages have had to be read from a disk so far."""
        ...

    def pids(self) -> list[int]:
        """The processes in it, as the host sees them."""
        ...

    def cpu_usec(self) -> int:
        """CPU time used by all processes so far, in microseconds; 0 where no controller counts it."""
        ...

    def remove(self) -> None:
        """Closes the descriptors and removes the group; its processes are dead by then."""
        ...


def read_text(fd: int) -> bytes:
    """The whole of a small kernel file through a kept descriptor."""
    return os.pread(fd, 16384, 0)


def write_and_verify(path: str, value: int) -> None:
    """Writes a limit, reads it back.

    Raises `LimitNotEnforced` when it came back otherwise, `OSError` from the write.
    """
    with open(path, "r+b", buffering=0) as file:
        file.write(b"%d" % value)
        file.seek(0)
        held = file.read().strip()
    if held != b"%d" % value:
        raise LimitNotEnforced(
            f"{path}: wrote {value}, the kernel holds {held.decode()}; no environment is run without its limit"
        )


def make_folder(path: str) -> None:
    """Makes a cgroup. Raises `HostCannot` saying which right is missing."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise HostCannot(
            f"the cgroup {path} cannot be made: {error.strerror}",
            mend="run plimsoll as root (sudo), or see `plimsoll doctor`",
        ) from error


def remove_tree(path: str, patience_s: float = 2.0) -> None:
    """Kills what still lives in a cgroup and below, and removes it. Missing is fine.

    A killed process stays in its group until it is reaped by whoever started it, so removal waits for that:
    up to `patience_s`. Raises `HostCannot` when it is still busy then.
    """
    deadline = time.monotonic() + patience_s
    while os.path.isdir(path):
        for folder, _, _ in os.walk(path, topdown=False):
            _kill_all(folder)
            with suppress(OSError):
                os.rmdir(folder)
        if os.path.isdir(path):
            if time.monotonic() > deadline:
                raise HostCannot(
                    f"the cgroup {path} is still busy", mend=f"cat {path}/cgroup.procs; kill those"
                )
            time.sleep(0.002)  # a dying process leaves its group when it is reaped


def _kill_all(folder: str) -> None:
    with suppress(OSError), open(f"{folder}/cgroup.procs") as procs:
        # 0 is a process of another pid namespace; to kill(2) it would be our own process group
        for pid in filter(None, map(int, procs.read().split())):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
