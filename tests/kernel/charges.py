"""What the kernel has charged to this process's environments, and what one invocation adds to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from plimsoll.sandbox.cgroup_host import this_host
from tests.kernel.conftest import invoke

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Completed, Function

T = TypeVar("T")


class Grown(NamedTuple):
    """What one invocation added to what is in use, in MiB."""

    parts: dict[str, float]
    charged: float
    """In the kernel's own count, all environments of this process together."""
    completed: Completed


async def grown_mib(fleet: Fleet, function: Function, event: dict[str, Any]) -> Grown:
    """What an invocation adds, against one before it with an empty event. In a new environment."""

    async def measure() -> Grown:
        await fleet.recycle(function)
        before = (await invoke(fleet, function, times=2)).report.at_end.parts()
        charged = sum(map(usage_bytes, memory_groups()))
        completed = await invoke(fleet, function, event)
        charged = sum(map(usage_bytes, memory_groups())) - charged
        after = completed.report.at_end.parts()
        parts = {part: (after[part] - before[part]) / (1 << 20) for part in before}
        return Grown(parts, charged / (1 << 20), completed)

    return await undisturbed(measure)


async def undisturbed(measure: Callable[[], Awaitable[T]]) -> T:
    """Measures again where anybody has dropped this host's caches meanwhile, which takes from those of living boxes."""
    while True:
        drops = _cache_drops()
        measured = await measure()
        if _cache_drops() == drops:
            return measured


def _cache_drops() -> str | None:
    """How often that has happened since the start of the host, where its kernel counts it."""
    words = Path("/proc/vmstat").read_text().split()
    return dict(zip(words[::2], words[1::2], strict=True)).get("drop_pagecache")


def drop_host_caches() -> None:
    """What no process has mapped or dirty is read from the disk again."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def memory_groups() -> list[Path]:
    """The memory cgroups of this process's environments, without the one in stock, which has no limit yet."""
    host = this_host()
    root = Path(host.v2_root or host.v1_roots["memory"])
    groups = root.glob(f"plimsoll/{os.getpid()}-*/*/")
    return [group for group in groups if limit_bytes(group) < 1 << 40]


def limit_bytes(group: Path) -> int:
    """What the kernel holds as the memory limit."""
    text = _one_of(group, "memory.limit_in_bytes", "memory.max")
    return 1 << 63 if text == "max" else int(text)


def usage_bytes(group: Path) -> int:
    """What the kernel has charged."""
    return int(_one_of(group, "memory.usage_in_bytes", "memory.current"))


def _one_of(group: Path, *names: str) -> str:
    """The text of the file that there is: the first in version 1, the second in version 2."""
    (path,) = [group / name for name in names if (group / name).exists()]
    return path.read_text().strip()
