"""What `/proc/<pid>` tells of memory. O(processes): never on the invoke path."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from plimsoll.model import ProcessMemory

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMED_MAX = 20
"""Processes that a report names. A command line is read out of the process's own memory, which can take its time."""


def seen_from_outside(init_pid: int, place: str) -> str:
    """The host's path of `place` inside the box of process 1 `init_pid`, mounts included (proc_pid_root(5))."""
    return f"/proc/{init_pid}/root{place}"


def mapped_file_bytes(pid: int) -> int:
    """Resident pages of mapped files (`RssFile` of proc_pid_status(5)); 0 when the process has ended."""
    return _status_bytes(pid, "RssFile")


def first_child(pids: Iterable[int], parent: int | None) -> int | None:
    """Of these processes the one that `parent` started first; None where none that lives is its child."""
    children = []
    for pid in pids:
        with suppress(OSError):
            with open(f"/proc/{pid}/stat", "rb") as file:
                # the name before it may hold blanks and brackets; field 4 is the parent, 22 the start (proc(5))
                fields = file.read().rpartition(b")")[2].split()
            if int(fields[1]) == parent:
                children.append((int(fields[19]), pid))
    return min(children)[1] if children else None


def processes(pids: Iterable[int]) -> tuple[ProcessMemory, ...]:
    """Anonymous memory of the processes that still live, most first, at most `NAMED_MAX` of them."""
    sizes = sorted(((_status_bytes(pid, "RssAnon"), pid) for pid in pids), reverse=True)
    found = []
    for anon_bytes, pid in sizes[:NAMED_MAX]:
        with suppress(OSError):
            found.append(ProcessMemory(pid, command(pid), anon_bytes))
    return tuple(found)


def command(pid: int) -> str:
    """The command line, blanks between its words; the short name for a process that has none.

    Raises `OSError` when it has ended.
    """
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        words = file.read().rstrip(b"\0").replace(b"\0", b" ")
    if words:
        return words.decode(errors="replace")
    with open(f"/proc/{pid}/comm", errors="replace") as file:  # any bytes, and cut after 15
        return file.read().strip()


def _status_bytes(pid: int, field: str) -> int:
    try:
        with open(f"/proc/{pid}/status", errors="replace") as file:  # the name is in it
            for line in file:
                if line.startswith(f"{field}:"):
                    return int(line.split()[1]) << 10
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0
