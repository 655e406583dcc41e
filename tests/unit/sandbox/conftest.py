"""Recorded groups: kernel files in a temporary folder, and cgroups made upon them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.sandbox.cgroup_v1 import CgroupV1
from plimsoll.sandbox.cgroup_v2 import CgroupV2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plimsoll.sandbox.cgroup import Cgroup

RECORDED = Path(__file__).parent / "recorded"
NAME = "4711-5eed/1"
LIMIT_BYTES = 128 << 20


@dataclass
class Recording:
    """The folders of one group, that of the memory controller first, and the groups made upon them.

    A kernel file takes each write whole; a regular file keeps what stood behind it. So a limit is laid out empty, or
    with as many digits as what will be written.
    """

    folders: list[Path]
    make: Callable[[int], Cgroup]
    made: list[Cgroup] = field(default_factory=list)

    def create(self, limit_bytes: int = LIMIT_BYTES) -> Cgroup:
        """A group as an environment makes it."""
        self.made.append(self.make(limit_bytes))
        return self.made[-1]

    def path(self, name: str) -> Path:
        """The kernel file of this name."""
        (found,) = (
            folder / name
            for folder in self.folders
            if name.startswith(folder.parents[2].name) or len(self.folders) == 1
        )
        return found

    def write(self, name: str, text: str) -> None:
        """What the kernel does behind our back."""
        self.path(name).write_text(text)

    def replace(self, name: str, device: str) -> None:
        """Lets a device stand for a file whose writes fail (/dev/full) or vanish (/dev/null)."""
        self.path(name).unlink()
        self.path(name).symlink_to(device)

    def empty(self) -> None:
        """Takes the files away, as rmdir(2) of a cgroup does by itself."""
        for file in [file for folder in self.folders for file in folder.glob("*")]:
            file.unlink()

    def close(self) -> None:
        """Removes the groups, which closes their descriptors."""
        self.empty()
        while self.made:
            self.made.pop().remove()


def lay_out_v1(root: Path, *, without: str = "") -> Recording:
    """The recorded group of version 1, all controllers but `without`."""
    roots, folders = {}, []
    for controller in ("memory", "pids", "cpuacct"):
        if controller != without:
            roots[controller] = str(root / controller)
            folders.append(root / controller / "plimsoll" / NAME)
            shutil.copytree(RECORDED / "v1" / controller, folders[-1])
    recording = Recording(folders, lambda limit_bytes: CgroupV1(roots, NAME, limit_bytes))
    for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
        recording.write(name, f"{2 * LIMIT_BYTES}\n")
    recording.write("memory.swappiness", "")
    if without != "pids":
        recording.write("pids.max", "")
    return recording


def lay_out_v2(root: Path, kernel: str = "linux-6.12") -> Recording:
    """The recorded group of version 2 below parents that offer all controllers."""
    folder = root / "plimsoll" / NAME
    shutil.copytree(RECORDED / "v2" / kernel, folder)
    for parent in (root, root / "plimsoll", folder.parent):
        (parent / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma misc\n")
        (parent / "cgroup.subtree_control").write_text("")
    recording = Recording([folder], lambda limit_bytes: CgroupV2(str(root), NAME, limit_bytes))
    recording.write("memory.max", f"{2 * LIMIT_BYTES}\n")
    for name in ("memory.swap.max", "memory.oom.group", "pids.max"):
        recording.write(name, "")
    return recording


@pytest.fixture
def v1(tmp_path: Path) -> Iterator[Recording]:
    """A recorded group of version 1."""
    recording = lay_out_v1(tmp_path)
    yield recording
    recording.close()


@pytest.fixture
def v2(tmp_path: Path) -> Iterator[Recording]:
    """A recorded group of version 2, Linux 6.12."""
    recording = lay_out_v2(tmp_path)
    yield recording
    recording.close()
