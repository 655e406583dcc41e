"""The verdict's advice in plain words: what it is, what it is not, when it ends, what to do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plimsoll.model import Cause, Limit, Report

_NAMES = {
    "heap": "the heap",
    "shmem": "shared memory",
    "kernel": "kernel memory (sockets, descriptors, page tables)",
    "cache": "the page cache of code and layers",
}
_IN_TMP = {"tmp", "tmp-deleted-open"}
_REMEDIES = {
    "tmp": "delete the file at the end of the invocation, or write it under one name and overwrite it, "
    "or keep it on purpose and set the memory for it",
    "tmp-deleted-open": "close the descriptor: a deleted file counts for as long as some process holds it open",
    "heap": "look at what outlives the handler: module-level lists, caches, listeners, connections",
    "shmem": "unlink or unmap what is shared when the invocation ends",
    "kernel": "close what each invocation opens: sockets, files, watchers",
    "cache": "nothing: the kernel takes page cache back when memory is needed",
}


def megabytes(size_bytes: float) -> str:
    """As the sentences print it: MB with one decimal, KB below one.

    >>> megabytes(10 * 1024 * 1024), megabytes(80 * 1024)
    ('10.0 MB', '80 KB')
    """
    return (
        f"{size_bytes / 2**20:.1f} MB" if size_bytes >= 1 << 20 else f"{size_bytes / 1024:.0f} KB"
    )


def ordinal(number: int) -> str:
    """English ordinals.

    >>> [ordinal(n) for n in (1, 2, 3, 8, 11, 52)]
    ['1st', '2nd', '3rd', '8th', '11th', '52nd']
    """
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{endings.get(number % 10, 'th')}"


def advise(causes: Sequence[Cause], last: Report, until: int | None, limit: Limit | None) -> str:
    """The sentences of a verdict that found growth: what grows, cause by cause, when it ends, what to do about each.

    `last` is the last warm report; `until` and `limit` are the forecast.
    """
    said = [
        f"{what_grows(cause)} grows {megabytes(cause.growth_bytes_per_invocation)} per invocation"
        for cause in causes
    ]
    in_tmp = [cause for cause in causes if cause.kind in _IN_TMP]
    if causes[0] in in_tmp and not any(cause.kind == "heap" for cause in causes):
        said.insert(0, "not a heap leak")
    if until is not None and limit == "memory":
        said.append(f"at {last.memory_size_mib} MB the {ordinal(until)} invocation is killed")
    if in_tmp and last.tmp.backing == "disk":
        said.append(
            f"at {last.memory_size_mib} MB it is not killed for that: what /tmp on a disk has in memory is taken back "
            "at the limit, and the function becomes slower"
        )
    if in_tmp:
        full = math.floor(last.tmp.size_bytes / in_tmp[0].growth_bytes_per_invocation) + 1
        size = last.tmp.size_bytes >> 20
        said.append(f"with {size} MB of /tmp the {ordinal(full)} gets ENOSPC")
    said += [_REMEDIES[cause.kind] for cause in causes]
    return "; ".join(said) + "."


def what_grows(cause: Cause) -> str:
    """A cause as the subject of a sentence: the file, where it is known."""
    if cause.kind in _IN_TMP:
        return (cause.evidence[0].path if cause.evidence else None) or "/tmp"
    return _NAMES[cause.kind]
