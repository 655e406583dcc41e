"""The kernel's text about a memory cgroup, v1 and v2, to the same five numbers.

Rule: bytes in, frozen numbers out. Sources: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CgroupMemory:
    """One sample of a cgroup's charge, in bytes."""

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
    """
    values = parse_flat(stat)
    shmem = values[b"total_shmem"]
    return CgroupMemory(
        usage_bytes=int(usage),
        anon_bytes=values[b"total_rss"],
        shmem_bytes=shmem,
        file_bytes=max(0, values[b"total_cache"] - shmem),
        kernel_bytes=int(kernel),
        mapped_file_bytes=values[b"total_mapped_file"],
    )


def parse_v2(stat: bytes, usage: bytes) -> CgroupMemory:
    """From `memory.stat` and `memory.current`. `kernel` exists since Linux 5.18; before, its parts are added up."""
    values = parse_flat(stat)
    shmem = values[b"shmem"]
    kernel = values.get(b"kernel")
    if kernel is None:
        parts = (b"kernel_stack", b"pagetables", b"percpu", b"slab")
        kernel = sum(values.get(part, 0) for part in parts)
    return CgroupMemory(
        usage_bytes=int(usage),
        anon_bytes=values[b"anon"],
        shmem_bytes=shmem,
        file_bytes=max(0, values[b"file"] - shmem),
        kernel_bytes=kernel + values.get(b"sock", 0),
        mapped_file_bytes=values.get(b"file_mapped", 0),
    )
