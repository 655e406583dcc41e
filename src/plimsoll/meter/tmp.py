"""`/tmp` of one box: how full (one system call), and by file (a walk, only for a reader who asks).

Rule: the box's `/tmp` is reached through a kept descriptor, never by a path that the function could bend: names are
opened relative to it and symbolic links are not followed.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from plimsoll.errors import HostCannot
from plimsoll.meter.processes import command
from plimsoll.model import TmpFile, TmpUsage
from plimsoll.sandbox.loop import abandon_writes
from plimsoll.sandbox.page_cache import cached_bytes
from plimsoll.sandbox.syscalls import sync_file_system

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from plimsoll.memory import CgroupMemory
    from plimsoll.model import Function

LISTED_MAX = 200
"""Files that a report names; the largest and the most changed ones."""
DEEPEST = 100
"""Folders within folders that are walked; files further down count, but are not named."""
_PAGE = 4096
_SCARCE_BYTES = 256 << 20
"""Of the host's free space: more than what an environment writes between two looks, which are cheap."""


class TmpMeter:
    """Keeps a descriptor on `/tmp` and what the last look saw.

    `pids` gives the environment's processes; it is asked only if something is held open after deletion.
    """

    def __init__(self, path: str, function: Function, pids: Callable[[], list[int]]) -> None:
        self._function = function
        self._pids = pids
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._previous: dict[str | int, int] = {}
        """Sizes by path; by inode too, because deleted files may have had one name."""
        self._empty_bytes = 0
        self._empty_bytes = self.used_bytes()  # ext4's own folders
        self._other_cache_bytes = 0
        """Page cache that is not of `/tmp`, as far as it was ever known."""

    def close(self) -> None:
        """Lets the file system go; what is not written to its disk yet need not be any more."""
        try:
            if self._function.tmp_backing == "disk":
                abandon_writes(self._fd)
        finally:
            os.close(self._fd)

    def check_host(self, folder: Path) -> None:
        """Where the host's disk under a `/tmp` on disk is nearly full: has all of it written, and looks how that went.

        Raises `HostCannot` when it failed (syncfs(2) tells since Linux 5.8). `folder` is on the host's disk.
        """
        space = os.statvfs(folder)
        if space.f_bavail * space.f_frsize > _SCARCE_BYTES:
            return
        try:
            sync_file_system(self._fd)
        except OSError as error:
            raise HostCannot(
                f"the disk of this host is full: what the function wrote to /tmp did not fit into {folder} "
                f"({error.strerror}). Its own /tmp was not full",
                mend="free some space there, or set PLIMSOLL_HOME to another disk",
            ) from error

    def used_bytes(self) -> int:
        """Allocated bytes of file data: tmpfs counts them exactly (1.6 us), ext4 with its folders' blocks."""
        space = os.fstatvfs(self._fd)
        return (space.f_blocks - space.f_bfree) * space.f_frsize - self._empty_bytes

    def in_memory_bytes(self, memory: CgroupMemory, used_bytes: int, *, exact: bool = False) -> int:
        """How much of a sample is `/tmp`'s.

        All that is used, on tmpfs. On a disk what of it is in the page cache: `exact` asks the kernel file by file;
        else it is taken to be all, as far as the cache has grown by it, which is so until something is reclaimed.
        """
        if self._function.tmp_backing == "tmpfs":
            return used_bytes
        if exact:
            cached = sum(_cached_bytes(name, fd) for _, _, name, fd in self._walk())
            cached += sum(_cached_bytes(link) for _, _, _, _, link in self._deleted())
            self._other_cache_bytes = max(0, memory.file_bytes - cached)
            return cached
        if not used_bytes:
            self._other_cache_bytes = memory.file_bytes
        return min(used_bytes, max(0, memory.file_bytes - self._other_cache_bytes))

    def look(self) -> TmpUsage:
        """Names the files."""
        used = self.used_bytes()
        allocated: dict[str | int, int] = {}
        files = []
        for path, status, _, _ in self._walk():
            size = status.st_blocks * 512
            allocated[path] = allocated[status.st_ino] = size
            files.append(TmpFile(path, size, size - self._previous.get(path, 0)))
        hidden = used - sum(file.bytes for file in files)
        if hidden >= _PAGE:
            for path, size, inode, pid, _ in self._deleted():
                allocated[inode] = size
                before = self._previous.get(inode, 0)
                files.append(TmpFile(path, size, size - before, True, pid, _command(pid)))
        self._previous = allocated
        files.sort(key=lambda file: (-abs(file.delta_bytes), -file.bytes))
        listed = sorted(files[:LISTED_MAX], key=lambda file: -file.bytes)
        return TmpUsage(
            self._function.tmp_backing, self._function.tmp_bytes, used, tuple(listed), len(files)
        )

    def _deleted(self) -> Iterator[tuple[str, int, int, int, str]]:
        # as the kernel names the box's /tmp to us: with a prefix, if our own root is not the host's
        seen_as = os.readlink(f"/proc/self/fd/{self._fd}")
        return _deleted_but_open(self._pids(), os.fstat(self._fd).st_dev, seen_as)

    def _walk(self) -> Iterator[tuple[str, os.stat_result, str, int]]:
        """Each regular file: path as the function sees it, status, and name in the folder of a descriptor."""
        seen: set[int] = set()
        for folder, folders, names, fd in os.fwalk(".", dir_fd=self._fd, onerror=None):
            if folder.count("/") >= DEEPEST:
                folders.clear()
            for name in names:
                with suppress(FileNotFoundError):
                    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    if status.st_ino in seen or not stat.S_ISREG(status.st_mode):
                        continue  # a hard link counts once; folders and links hold no data pages
                    seen.add(status.st_ino)
                    path = os.path.normpath(f"/tmp/{folder}/{name}")
                    yield _readable(path), status, name, fd


def _deleted_but_open(
    pids: list[int], device: int, seen_as: str
) -> Iterator[tuple[str, int, int, int, str]]:
    """Path, allocated bytes, inode, holder and its link to it, of each unlinked file that some process has open."""
    seen: set[int] = set()
    for pid in pids:
        with suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    link = f"/proc/{pid}/fd/{fd}"
                    status = os.stat(link)
                    if status.st_dev != device or status.st_nlink or status.st_ino in seen:
                        continue
                    seen.add(status.st_ino)
                    name = os.readlink(link).removesuffix(" (deleted)").removeprefix(seen_as)
                    yield _readable(f"/tmp{name}"), status.st_blocks * 512, status.st_ino, pid, link


def _cached_bytes(path: str, folder: int | None = None) -> int:
    """What of a regular file is in the page cache; 0 for anything else, and for what has gone meanwhile."""
    # a fifo would be waited for, and a link followed to where the function likes
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if folder is None else os.O_NOFOLLOW)
    try:
        fd = os.open(path, flags, dir_fd=folder)
    except OSError:
        return 0
    try:
        status = os.fstat(fd)
        return cached_bytes(fd, status.st_size) if stat.S_ISREG(status.st_mode) else 0
    finally:
        os.close(fd)


def _readable(path: str) -> str:
    """A name may be any bytes; what is not UTF-8 is shown as `\\xff`, so that every report can be written."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _command(pid: int) -> str | None:
    try:
        return command(pid)
    except OSError:
        return None
