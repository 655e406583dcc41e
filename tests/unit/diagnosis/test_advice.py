"""The advice in plain words: what grows, what it is not, when it ends, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plimsoll.diagnosis.advice import advise, megabytes, ordinal
from plimsoll.model import Cause, Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.model import Limit, Report

MIB = 1 << 20
FILE = (Evidence(10.0 * MIB, path="/tmp/test"),)


@pytest.mark.parametrize(
    ("causes", "until", "limit", "advice"),
    [
        (
            [Cause("tmp", 10.0 * MIB, FILE)],
            8,
            "memory",
            "not a heap leak; /tmp/test grows 10.0 MB per invocation; at 128 MB the 8th invocation is killed; "
            "with 512 MB of /tmp the 52nd gets ENOSPC; delete the file at the end of the invocation, or write it "
            "under one name and overwrite it, or keep it on purpose and set the memory for it.",
        ),
        (
            [Cause("tmp-deleted-open", 10.0 * MIB)],
            52,
            "tmp",
            "not a heap leak; /tmp grows 10.0 MB per invocation; with 512 MB of /tmp the 52nd gets ENOSPC; "
            "close the descriptor: a deleted file counts for as long as some process holds it open.",
        ),
        (
            [Cause("tmp", 10.0 * MIB, FILE), Cause("heap", 1.0 * MIB)],
            None,
            None,
            "/tmp/test grows 10.0 MB per invocation; the heap grows 1.0 MB per invocation; with 512 MB of /tmp the "
            "52nd gets ENOSPC; delete the file at the end of the invocation, or write it under one name and "
            "overwrite it, or keep it on purpose and set the memory for it; look at what outlives the handler: "
            "module-level lists, caches, listeners, connections.",
        ),
        (
            [Cause("heap", 80.0 * 1024)],
            131,
            "memory",
            "the heap grows 80 KB per invocation; at 128 MB the 131st invocation is killed; look at what outlives "
            "the handler: module-level lists, caches, listeners, connections.",
        ),
        (
            [Cause("shmem", 1.0 * MIB)],
            None,
            None,
            "shared memory grows 1.0 MB per invocation; unlink or unmap what is shared when the invocation ends.",
        ),
        (
            [Cause("kernel", 1.0 * MIB)],
            None,
            None,
            "kernel memory (sockets, descriptors, page tables) grows 1.0 MB per invocation; close what each "
            "invocation opens: sockets, files, watchers.",
        ),
        (
            [Cause("cache", 1.0 * MIB)],
            None,
            None,
            "the page cache of code and layers grows 1.0 MB per invocation; nothing: the kernel takes page cache "
            "back when memory is needed.",
        ),
    ],
    ids=["tmp", "deleted", "tmp-and-heap", "heap", "shmem", "kernel", "cache"],
)
def test_advice(
    make_report: Callable[..., Report],
    causes: list[Cause],
    until: int | None,
    limit: Limit | None,
    advice: str,
) -> None:
    """What grows, when it ends, what to do, cause by cause; `/tmp` is said to be no heap leak only where none is."""
    assert advice == advise(causes, make_report(), until, limit)


@pytest.mark.parametrize(
    ("size_bytes", "printed"),
    [(0, "0 KB"), (512, "0 KB"), (1024.0, "1 KB"), (MIB - 1, "1024 KB"), (1.25 * MIB, "1.2 MB")],
)
def test_megabytes(size_bytes: float, printed: str) -> None:
    """Megabytes with one decimal; whole kilobytes below one."""
    assert printed == megabytes(size_bytes)


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (4, "4th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (103, "103rd"),
        (111, "111th"),
        (122, "122nd"),
    ],
)
def test_ordinal(number: int, word: str) -> None:
    """The teens have their own ending, in every hundred."""
    assert word == ordinal(number)
