"""`/tmp` of one box: how full (one system call), and by file (a walk, only for a reader who asks).

Rule: the box's `/tmp` is reached through a kept descriptor, never by a path that the function could bend: names are
opened relative to it and symbolic links are not followed.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from plimsoll.meter.processes import command
from plimsoll.model import TmpFile, TmpUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plimsoll.model import Function

LISTED_MAX = 200
"""Files that a report names; the largest and the most changed ones."""
DEEPEST = 100
"""Folders within folders that are walked; files further down count, but are not named."""
_PAGE = 4096


class TmpMeter:
    """Keeps a descriptor on `/tmp` and what the last look saw."""

    def __init__(self, path: str, function: Function) -> None:
        self._function = function
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._previous: dict[str | int, int] = {}
        """Sizes by path; by inode too, because deleted files may have had one name."""

    def close(self) -> None:
        """Lets the file system go."""
        os.close(self._fd)

    def used_bytes(self) -> int:
        """Allocated bytes of file data: tmpfs counts them exactly (1.6 us)."""
        space = os.fstatvfs(self._fd)
        return (space.f_blocks - space.f_bfree) * space.f_frsize

    def look(self, pids: Callable[[], list[int]]) -> TmpUsage:
        """Names the files. `pids` is asked only if something is held open after deletion."""
        used = self.used_bytes()
        allocated: dict[str | int, int] = {}
        files = []
        for path, size, inode in self._walk():
            allocated[path] = allocated[inode] = size
            files.append(TmpFile(path, size, size - self._previous.get(path, 0)))
        hidden = used - sum(file.bytes for file in files)
        if hidden >= _PAGE:
            # as the kernel names the box's /tmp to us: with a prefix, if our own root is not the host's
            seen_as = os.readlink(f"/proc/self/fd/{self._fd}")
            deleted = _deleted_but_open(pids(), os.fstat(self._fd).st_dev, seen_as)
            for path, size, inode, pid in deleted:
                allocated[inode] = size
                before = self._previous.get(inode, 0)
                files.append(TmpFile(path, size, size - before, True, pid, _command(pid)))
        self._previous = allocated
        files.sort(key=lambda file: (-abs(file.delta_bytes), -file.bytes))
        listed = sorted(files[:LISTED_MAX], key=lambda file: -file.bytes)
        return TmpUsage(
            self._function.tmp_backing, self._function.tmp_bytes, used, tuple(listed), len(files)
        )

    def _walk(self) -> Iterator[tuple[str, int, int]]:
        """Path, allocated bytes and inode of each regular file."""
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
                    yield _readable(path), status.st_blocks * 512, status.st_ino


def _deleted_but_open(
    pids: list[int], device: int, seen_as: str
) -> Iterator[tuple[str, int, int, int]]:
    """Path, allocated bytes, inode and holder of each unlinked file of `/tmp` that some process still has open."""
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
                    yield _readable(f"/tmp{name}"), status.st_blocks * 512, status.st_ino, pid


def _readable(path: str) -> str:
    """A name may be any bytes; what is not UTF-8 is shown as `\\xff`, so that every report can be written."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _command(pid: int) -> str | None:
    try:
        return command(pid)
    except OSError:
        return None
