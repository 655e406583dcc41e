"""What a memory figure is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Accounting = Literal["exact", "shared"]
Source = Literal["kernel", "sampler"]
Touched = tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
"""Files, and of each the ranges (offset and length in bytes) that are in the page cache."""


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """One process of the environment and the anonymous memory it held."""

    pid: int
    """As the host sees it."""
    command: str
    anon_bytes: int


class MemoryBreakdown(NamedTuple):
    """The parts of one memory figure in bytes; their sum is the figure (the memory model's fifth point).

    A tuple, since two are made on each invocation, in half of a dataclass's time.
    """

    anon_bytes: int = 0
    """Heaps and stacks: anonymous pages of all processes."""
    tmp_bytes: int = 0
    """What `/tmp` holds, in allocated pages."""
    shmem_bytes: int = 0
    """Shared memory other than `/tmp`: memfd, System V, shared anonymous mappings."""
    file_bytes: int = 0
    """Page cache of runtime, code and layers."""
    kernel_bytes: int = 0
    """Page tables, slab, kernel stacks, sockets."""
    platform_bytes: int = 0
    """The constant share of AWS's own machinery."""

    @property
    def total_bytes(self) -> int:
        """The figure: the sum of all parts.

        >>> MemoryBreakdown(anon_bytes=3, tmp_bytes=4).total_bytes
        7
        """
        return sum(self)

    def parts(self) -> dict[str, int]:
        """Each part by its short name, in the order in which charts stack them.

        >>> list(MemoryBreakdown().parts())
        ['anon', 'tmp', 'shmem', 'file', 'kernel', 'platform']
        """
        names = (field.removesuffix("_bytes") for field in self._fields)
        return dict(zip(names, self, strict=True))
