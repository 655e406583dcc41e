"""What of a file is in the page cache; and files held there, charged to Plimsoll, for as long as the holder lives.

Why held: the first process to read a page pays for it. If that were an environment, its figure would depend on what the
host happened to have cached, and at the limit the kernel would take its program text away page by page (minutes of
thrashing) before it killed it. Held pages are never an environment's; the `shared` accounting adds them.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_PROT_READ, _MAP_SHARED = 1, 1
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long),
)
_libc.munmap.argtypes = _libc.mlock.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
_FAILED = ctypes.c_void_p(-1).value
_CACHESTAT = 451
"""cachestat(2), Linux 6.5: the same number on every architecture."""
_PAGE_BYTES = 4096


class HeldPages:
    """Files whose pages stay in memory until `close`. Reading them in takes as long as the disk does.

    `hold` is for a thread; `close` may come from another one in the middle of it (Ctrl-C), and ends it.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def hold(self, paths: Iterable[Path]) -> None:
        """Maps and locks the files. Raises `OSError` naming the one that could not be."""
        for path in paths:
            with self._lock:
                if self._closed:
                    return
                length = path.stat().st_size
                if length and str(path) not in self._held:
                    self._held[str(path)] = (_map_locked(path, length), length)

    def close(self) -> None:
        """Lets go of all of them."""
        with self._lock:
            self._closed = True
            for address, length in self._held.values():
                _libc.munmap(address, length)
            self._held.clear()


def _map_locked(path: Path, length: int) -> int:
    with open(path, "rb") as file:
        address = _libc.mmap(None, length, _PROT_READ, _MAP_SHARED, file.fileno(), 0)
    if address == _FAILED or _libc.mlock(address, length) != 0:
        errno = ctypes.get_errno()
        if address != _FAILED:
            _libc.munmap(address, length)
        raise OSError(errno, f"the pages of {path} cannot be held: {os.strerror(errno)}")
    return int(address)


def cached_bytes(fd: int, length: int) -> int:
    """How much of an open file is in the page cache, without touching it. Raises `OSError`."""
    if not length:
        return 0
    found = (ctypes.c_uint64 * 5)()  # cached, dirty, in writeback, evicted, recently evicted: pages
    if _libc.syscall(_CACHESTAT, fd, (ctypes.c_uint64 * 2)(0, 0), found, 0) == 0:
        return int(found[0]) * _PAGE_BYTES
    return _cached_pages(fd, length).count(1) * _PAGE_BYTES  # before Linux 6.5


def cached_ranges(path: str) -> tuple[tuple[int, int], ...]:
    """Which parts of a file are in the page cache: offset and length in bytes of each run. Raises `OSError`."""
    with open(path, "rb") as file:
        pages = _cached_pages(file.fileno(), os.fstat(file.fileno()).st_size)
    return tuple(
        (match.start() * _PAGE_BYTES, len(match[0]) * _PAGE_BYTES)
        for match in re.finditer(b"\x01+", pages)
    )


def _cached_pages(fd: int, length: int) -> bytes:
    """A byte for each page, 1 where it is cached: by a mapping (mincore(2)), of which no page is touched."""
    if not length:
        return b""
    address = _libc.mmap(None, length, _PROT_READ, _MAP_SHARED, fd, 0)
    if address == _FAILED:
        errno = ctypes.get_errno()
        raise OSError(errno, f"a file cannot be mapped: {os.strerror(errno)}")
    pages = ctypes.create_string_buffer(-(-length // _PAGE_BYTES))
    _libc.mincore(address, length, pages)
    _libc.munmap(address, length)
    return bytes(page & 1 for page in pages.raw)
