"""Tells an environment that is starved: at its limit, with nothing left to take back but its programs' own text.

The kernel kills when reclaim fails, and it does not fail while one more page of text can be thrown out and read again:
for half a minute, with thousands of major faults a second (docs/decisions/0016).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.memory import CgroupMemory

_AT_LIMIT_BYTES = 1 << 20
_CACHE_BYTES = 4 << 20
"""Node.js thrashes with 2.8 MiB and runs with 4.6."""
_FAULTS_PER_S = 20
"""Major faults: a program that has its text in memory has none, and a slow disk does not serve many more."""
_LASTING_S = 1.0


class Starvation:
    """`major_faults` counts them so far; `on_starved` is called when it has lasted."""

    def __init__(self, major_faults: Callable[[], int], on_starved: Callable[[], None]) -> None:
        self._count_faults = major_faults
        self._on_starved = on_starved
        self._faults = 0
        self._lasted_s = 0.0

    def look(self, memory: CgroupMemory, room_bytes: int, since_s: float) -> None:
        """At a sample, so long after the one before, of a group that may hold `room_bytes`."""
        at_limit = memory.usage_bytes > room_bytes - _AT_LIMIT_BYTES
        if not at_limit or memory.file_bytes > _CACHE_BYTES:
            self._lasted_s = 0.0
            return
        before, self._faults = self._faults, self._count_faults()
        if self._lasted_s and self._faults - before < _FAULTS_PER_S * since_s:
            self._lasted_s = 0.0
            return
        self._lasted_s += since_s
        if self._lasted_s >= _LASTING_S:
            self._lasted_s = 0.0
            self._on_starved()
