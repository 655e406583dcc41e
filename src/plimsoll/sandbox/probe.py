"""What this host lets a box have: each check tried for real or read from the kernel, never assumed.

Rule: a finding says fine, doubtful or broken, why, and for the last two the command that mends it. `probe` asks
the host; each answer is judged by a function that can be given any host's.
"""

from __future__ import annotations

import ctypes
import os
import platform
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plimsoll.errors import PlatformError
from plimsoll.sandbox.cgroup_host import CgroupHost, this_host
from plimsoll.sandbox.trial import try_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Grade = Literal["fine", "doubtful", "broken"]
_NAMESPACES = ("mnt", "pid", "ipc", "uts", "net")
_KERNEL_NEEDED = (5, 12)
"""mount_setattr(2); clone3 and close_range are older."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's."""

    topic: str
    grade: Grade
    text: str
    mend: str | None = None


def probe() -> list[Finding]:
    """All findings about this host, the ones without which nothing works first."""
    host = this_host()
    return [
        rights(os.geteuid()),
        kernel(platform.release(), platform.machine()),
        *cgroups(host),
        _namespaces(),
        swap(_read("/proc/swaps"), host),
        core_pattern(_read("/proc/sys/kernel/core_pattern")),
    ]


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


def rights(uid: int) -> Finding:
    """Root, or not."""
    if uid == 0:
        return Finding("rights", "fine", "running as root")
    return Finding(
        "rights",
        "broken",
        f"running as uid {uid}: cgroups, mounts and namespaces need root",
        "sudo plimsoll …",
    )


def kernel(release: str, machine: str) -> Finding:
    """New enough, and of a known architecture; as uname(2) says them."""
    major, minor = (int(part) for part in release.split(".")[:2])
    if (major, minor) < _KERNEL_NEEDED:
        return Finding(
            "kernel",
            "broken",
            f"Linux {release}: mount_setattr(2) came with 5.12",
            "upgrade the kernel (Debian 12, Ubuntu 22.04 or later)",
        )
    if machine not in {"x86_64", "aarch64"}:
        return Finding(
            "kernel", "broken", f"{machine}: only x86_64 and aarch64 are known", "use one"
        )
    return Finding("kernel", "fine", f"Linux {release} on {machine}")


def cgroups(host: CgroupHost) -> Iterator[Finding]:
    """What can be limited, and whose peaks are reported. Looks into the group tree of version 2."""
    if host.version is None:
        yield Finding(
            "memory limit",
            "broken",
            "no memory cgroup is mounted, so no limit and no figure could be true",
            "mount -t cgroup2 none /sys/fs/cgroup (or boot with cgroup_enable=memory)",
        )
        return
    if host.version == 2:
        yield Finding("memory limit", "fine", f"cgroup v2 at {host.v2_root}")
        with _some_group(host):
            yield _PEAKS_V2[_peak_mode(host.v2_root)]
        return
    yield Finding("memory limit", "fine", f"cgroup v1 at {host.v1_roots['memory']}")
    yield Finding(
        "peaks", "fine", "memory.max_usage_in_bytes can be restarted: both peaks are exact"
    )
    if "pids" not in host.v1_roots:
        yield Finding(
            "process limit",
            "doubtful",
            "no pids controller: the limit of 1,024 processes is not enforced",
            "mount -t cgroup -o pids none /sys/fs/cgroup/pids",
        )


@contextmanager
def _some_group(host: CgroupHost) -> Iterator[None]:
    """A group to look at, where one may be made: on a host without any, memory.peak shows nowhere."""
    run = f"doctor-{os.getpid()}"
    try:
        made = host.create(f"{run}/probe", 1 << 30)
    except (OSError, PlatformError):
        yield  # not root, or no delegation: other groups may show it
        return
    try:
        yield
    finally:
        made.remove()
        host.remove_run(run)


_PEAKS_V2 = {
    "writable": Finding(
        "peaks", "fine", "memory.peak can be restarted: both peaks are the kernel's"
    ),
    "readable": Finding(
        "peaks",
        "doubtful",
        "memory.peak cannot be restarted: after a reset, and for an invocation that is not the highest so far, peaks "
        "come from a sampler; reports say so",
        "Linux 6.12 or later",
    ),
    "missing": Finding(
        "peaks",
        "doubtful",
        "there is no memory.peak: peaks come from a sampler, and reports say so",
        "Linux 6.12 or later",
    ),
}


def _peak_mode(root: str | None) -> str:
    """What some group's memory.peak allows: readable since Linux 5.19, writable since 6.12. The root group has none."""
    for folder, _, names in os.walk(root or ""):
        if "memory.peak" in names:
            with suppress(FileNotFoundError):  # the group has just gone
                # the mode, not access(2): root may write anything until the kernel is asked
                mode = os.stat(f"{folder}/memory.peak").st_mode
                return "writable" if mode & stat.S_IWUSR else "readable"
    return "missing"


def _namespaces() -> Finding:
    missing = [name for name in _NAMESPACES if not os.path.exists(f"/proc/self/ns/{name}")]
    if missing:
        return Finding(
            "namespaces", "broken", f"the kernel lacks {', '.join(missing)}", "use a stock kernel"
        )
    if os.geteuid() == 0 and not _may_unshare():
        return Finding(
            "namespaces",
            "broken",
            "unshare(2) is refused: this container may not make namespaces",
            "start the container with --privileged, or run on the host",
        )
    return Finding("namespaces", "fine", "mount, pid, ipc, uts and network")


def _may_unshare() -> bool:
    """Tries it in a child, which then ends."""
    clone_newns = 0x00020000
    pid = os.fork()
    if pid == 0:
        os._exit(0 if ctypes.CDLL(None).unshare(clone_newns) == 0 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def swap(swaps: str, host: CgroupHost) -> Finding:
    """Whether environments can be shut out of what `/proc/swaps` lists."""
    if not swaps.splitlines()[1:]:
        return Finding("swap", "fine", "the host has none")
    if host.version == 1 and not os.path.exists(
        f"{host.v1_roots['memory']}/memory.memsw.limit_in_bytes"
    ):
        return Finding(
            "swap",
            "doubtful",
            "the host swaps and this kernel does not account for it; swappiness is set to 0 instead",
            "swapoff -a, or boot with swapaccount=1",
        )
    return Finding("swap", "fine", "the host has swap; environments are shut out of it")


def disks(make: Callable[[], int]) -> Iterator[Finding]:
    """Whether environments can have a page cache of their own, and a `/tmp` on disk: mounts what `make` gives.

    `make` gives a descriptor of a file with an ext4 in it, or raises `PlatformError` that says why it cannot.
    """
    try:
        file = make()
    except PlatformError as error:
        yield from _no_disks(error.message, error.mend)
        return
    try:
        trial = try_disk(file)
    finally:
        os.close(file)
    if trial.refused is not None:
        yield from _no_disks(f"a loop mount is refused: {trial.refused}", trial.mend)
        return
    yield Finding("accounting", "fine", "exact: each environment has a page cache of its own")
    if trial.direct_io:
        yield Finding("/tmp on disk", "fine", "ext4 on a loop device, around the host's page cache")
    else:
        yield Finding(
            "/tmp on disk",
            "doubtful",
            "the data folder's file system has no direct I/O: figures are right, but what a function writes is in the "
            "host's memory twice",
            "set PLIMSOLL_HOME to a folder on ext4, xfs or btrfs",
        )


def _no_disks(why: str, mend: str | None) -> Iterator[Finding]:
    yield Finding("accounting", "doubtful", f"shared, and reports say so: {why}", mend)
    yield Finding("/tmp on disk", "doubtful", f"--tmp-backing disk is refused: {why}", mend)


def core_pattern(text: str) -> Finding:
    """Where the kernel puts core dumps: as on AWS in `/tmp`, where the process is, or to a program on the host."""
    pattern = text.strip()
    if pattern.startswith("/tmp/"):  # the box's own: it is looked up from the root of what crashed
        return Finding("core dumps", "fine", f"core_pattern is {pattern}")
    where = f"go to {pattern}, which is read-only in an environment"
    if pattern.startswith("|"):
        where = f"are piped to {pattern[1:].split()[0]} on the host"
    elif not pattern.startswith("/"):
        where = f"go to the working directory as {pattern}, and /var/task is read-only"
    return Finding(
        "core dumps",
        "doubtful",
        f"they {where}; on AWS they fill /tmp",
        "sysctl kernel.core_pattern=/tmp/core.%e.%p",
    )
