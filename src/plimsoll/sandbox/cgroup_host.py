"""Which control groups this host has, and the making of an environment's group in them.

Rule: read once from the kernel's own tables (`/proc/self/mountinfo`), never guessed from folder names.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plimsoll.errors import HostCannot
from plimsoll.sandbox import cgroup
from plimsoll.sandbox.cgroup_v1 import CONTROLLERS, CgroupV1
from plimsoll.sandbox.cgroup_v2 import CgroupV2

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CgroupHost:
    """Where this host's control groups are mounted."""

    v1_roots: Mapping[str, str] = field(default_factory=dict)
    """Controller to mount point."""
    v2_root: str | None = None
    """Mount point of the unified hierarchy, if the memory controller is in it."""

    @property
    def version(self) -> int | None:
        """The version that owns the memory controller; None where neither does."""
        if self.v2_root is not None:
            return 2
        return 1 if "memory" in self.v1_roots else None

    def create(self, name: str, limit_bytes: int) -> cgroup.Cgroup:
        """A new group `plimsoll/<name>` with its limits in force. Raises `HostCannot`, `LimitNotEnforced`."""
        if self.v2_root is not None:
            return CgroupV2(self.v2_root, name, limit_bytes)
        if "memory" in self.v1_roots:
            return CgroupV1(self.v1_roots, name, limit_bytes)
        raise HostCannot(
            "this host has no memory cgroup, so no memory limit can be true",
            mend="boot with cgroup_enable=memory, or mount cgroup2 at /sys/fs/cgroup",
        )

    def remove_run(self, run: str) -> None:
        """Removes all groups of one run, and the parent if it is empty then."""
        roots = {self.v2_root} if self.v2_root else set(self.v1_roots.values())
        for root in roots:
            cgroup.remove_tree(f"{root}/{cgroup.PARENT}/{run}")
            try:
                os.rmdir(f"{root}/{cgroup.PARENT}")
            except OSError:
                continue  # not there, or another run still uses it


def find_cgroups(mountinfo: str) -> CgroupHost:
    """Reads the text of `/proc/self/mountinfo`; only `cgroup.controllers` of a v2 mount is opened beside it."""
    v1: dict[str, str] = {}
    v2: str | None = None
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        target = left.split()[4]
        kind, _, options = right.split(" ", 2)
        if kind == "cgroup":
            for controller in set(options.split(",")) & set(CONTROLLERS):
                v1.setdefault(controller, target)
        elif kind == "cgroup2" and v2 is None and _offers_memory(target):
            v2 = target
    return CgroupHost(v1, v2)


def this_host() -> CgroupHost:
    """The control groups of the running system."""
    with open("/proc/self/mountinfo") as file:
        return find_cgroups(file.read())


def _offers_memory(folder: str) -> bool:
    try:
        with open(f"{folder}/cgroup.controllers") as file:
            return "memory" in file.read().split()
    except OSError:
        return False
