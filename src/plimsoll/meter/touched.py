"""Which pages of its own images an environment has touched. O(files): for a rehearsal, never on the invoke path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from plimsoll.meter.processes import seen_from_outside
from plimsoll.sandbox.page_cache import cached_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plimsoll.model.memory import Touched


def touched(init_pid: int, places: Iterable[str]) -> Touched:
    """The cached ranges of all regular files at and below some places inside the box of process 1 `init_pid`.

    The smallest first: the loader waits for the C library before it needs the rest of a large program.
    """
    root = seen_from_outside(init_pid, "")
    found = []
    for place in places:
        for path in _files(f"{root}{place}"):
            ranges = cached_ranges(path)
            if ranges:
                found.append((path.removeprefix(root), ranges))
    return tuple(sorted(found, key=lambda file: sum(length for _, length in file[1])))


def _files(path: str) -> Iterator[str]:
    if os.path.isfile(path):
        yield path
    for folder, _, names in os.walk(path):
        for name in sorted(names):
            inner = os.path.join(folder, name)
            if os.path.isfile(inner) and not os.path.islink(inner):
                yield inner
