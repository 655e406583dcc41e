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
    tmp_is_cache: bool = False,
    uncharged_file_bytes: int = 0,
    platform_bytes: int = 0,
) -> MemoryBreakdown:
    """Splits `figure_bytes` (the cgroup's own, without the two additions) by the sample nearest to it.

    `tmp_bytes` is what `/tmp` has in memory: a part of the sample's shmem on tmpfs, and of its page cache on a disk
    (`tmp_is_cache`). `uncharged_file_bytes` are mapped file
    pages that another cgroup paid for (the `shared` accounting) and `platform_bytes` the constant: both come on top.

    Figure and sample differ by what happened between them, and by the per-CPU stock (64 pages a CPU) that the
    kernel charges ahead. A figure above the sample is memory of which no sample tells the kind: it goes to `anon`,
    the one part that comes and goes in moments. A figure below it is taken from `anon`, then from `file`,
    `kernel`, `shmem` and `tmp`, the last two being known exactly.
    """
    anon, file, kernel = sample.anon_bytes, sample.file_bytes, sample.kernel_bytes
    shmem = sample.shmem_bytes
    if tmp_is_cache:
        tmp = min(tmp_bytes, file)
        file -= tmp
    else:
        # the file system counts to the page; memory.stat lags by what the processors have not yet handed in
        tmp = tmp_bytes
        shmem = max(0, shmem - tmp)
    difference = figure_bytes - (anon + file + kernel + shmem + tmp)
    if difference >= 0:
        anon += difference
    else:
        anon, file, kernel, shmem, tmp = _less(-difference, anon, file, kernel, shmem, tmp)
    return MemoryBreakdown(anon, tmp, shmem, file + uncharged_file_bytes, kernel, platform_bytes)


def _less(too_much: int, *parts: int) -> list[int]:
    """The parts with `too_much` taken from them, the first ones first."""
    left = []
    for part in parts:
        taken = min(part, too_much)
        too_much -= taken
        left.append(part - taken)
    return left
