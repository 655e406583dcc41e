"""The kernel's text about a memory cgroup, v1 and v2, to the same five numbers.

Rule: bytes in, frozen numbers out. Sources: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class CgroupMemory(NamedTuple):
    """One sample of a cgroup's charge, in bytes. A tuple: made on each invocation, in a third of a dataclass's time."""

    usage_bytes: int
    """All that is charged now."""
    anon_bytes: int
    shmem_bytes: int
    """tmpfs and shared memory together; not part of `file_bytes`."""
    file_bytes: int
    """Page cache of real files."""
    kernel_bytes: int
    mapped_file_bytes: int
    """The part of file and shmem pages that some process has mapped."""


def parse_flat(text: bytes) -> dict[bytes, int]:
    """A flat-keyed file (`memory.stat`, `memory.events`, `memory.oom_control`) as a mapping.

    >>> parse_flat(b"oom_kill_disable 0\\nunder_oom 0\\noom_kill 2\\n")[b"oom_kill"]
    2
    """
    words = text.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


def parse_v1(stat: bytes, usage: bytes, kernel: bytes) -> CgroupMemory:
    """From `memory.stat`, `memory.usage_in_bytes` and `memory.kmem.usage_in_bytes`.

    In v1 `cache` includes shmem, and `rss` is anonymous memory only; the `total_` figures include child cgroups.
    Raises `ValueError` where the kernel left one of them out.
    """
    cache, anon, shmem, mapped = _found(_V1, stat)
    return CgroupMemory(int(usage), anon, shmem, max(0, cache - shmem), int(kernel), mapped)


def parse_v2(stat: bytes, usage: bytes) -> CgroupMemory:
    """From `memory.stat` and `memory.current`. `kernel` exists since Linux 5.18; before, its parts are added up.

    Raises `ValueError` where the kernel left a needed one out.
    """
    anon, cache, kernel, sock, shmem, mapped = _found(_V2, stat)
    if b"\nkernel " not in stat:
        values = parse_flat(stat)
        parts = (b"kernel_stack", b"pagetables", b"percpu", b"slab")
        kernel = sum(values.get(part, 0) for part in parts)
    return CgroupMemory(int(usage), anon, shmem, max(0, cache - shmem), kernel + sock, mapped)


# One search each, in the order in which the kernel has always printed them: this is on the invoke path, and the whole
# file as a mapping takes ten times as long. What stands between them comes with kernel and configuration: rss_huge,
# vmalloc (5.18), zswap (5.19); there may be nothing.
_V1 = re.compile(
    rb"\ntotal_cache (\d+)\ntotal_rss (\d+)\n(?:.*?\n)??total_shmem (\d+)\ntotal_mapped_file (\d+)\n",
    re.DOTALL,
)
_V2 = re.compile(
    rb"^anon (\d+)\nfile (\d+)\n(?:kernel (\d+)\n)?(?:.*?\n)??sock (\d+)\n"
    rb"(?:.*?\n)??shmem (\d+)\n(?:.*?\n)??file_mapped (\d+)\n",
    re.DOTALL,
)


def _found(fields: re.Pattern[bytes], stat: bytes) -> list[int]:
    match = fields.search(stat)
    if match is None:
        raise ValueError(f"memory.stat has not the fields that are needed: {stat[:2000]!r}")
    return [int(value or 0) for value in match.groups()]
