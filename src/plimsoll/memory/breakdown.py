"""From one sample of a cgroup to a breakdown whose parts add up to a figure that the kernel gave.

Rule: the figure is the kernel's and never bends; the split does. Pure arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plimsoll.model import MemoryBreakdown

if TYPE_CHECKING:
    from plimsoll.memory.cgroup_text import CgroupMemory


def break_down(
    sample: CgroupMemory,
    *,
    figure_bytes: int,
    tmp_bytes: int,
    uncharged_file_bytes: int = 0,
    platform_bytes: int = 0,
) -> MemoryBreakdown:
    """Splits `figure_bytes` (the cgroup's own, without the two additions) by the sample nearest to it.

    `tmp_bytes` is what `/tmp` on tmpfs holds, a part of the sample's shmem. `uncharged_file_bytes` are mapped file
    pages that another cgroup paid for (the `shared` accounting) and `platform_bytes` the constant: both come on top.

    Figure and sample differ by what happened between them, and by the per-CPU stock (64 pages a CPU) that the
    kernel charges ahead. A figure above the sample is memory of which no sample tells the kind: it goes to `anon`,
    the one part that comes and goes in moments. A figure below it is taken from `anon`, then from `file`,
    `kernel`, `shmem` and `tmp`, the last two being known exactly.
    """
    tmp = min(tmp_bytes, sample.shmem_bytes)
    parts = {
        "anon": sample.anon_bytes,
        "file": sample.file_bytes,
        "kernel": sample.kernel_bytes,
        "shmem": sample.shmem_bytes - tmp,
        "tmp": tmp,
    }
    difference = figure_bytes - sum(parts.values())
    if difference >= 0:
        parts["anon"] += difference
    else:
        for name in parts:
            taken = min(parts[name], -difference)
            parts[name] -= taken
            difference += taken
    return MemoryBreakdown(
        anon_bytes=parts["anon"],
        tmp_bytes=parts["tmp"],
        shmem_bytes=parts["shmem"],
        file_bytes=parts["file"] + uncharged_file_bytes,
        kernel_bytes=parts["kernel"],
        platform_bytes=platform_bytes,
    )
