"""Reading an image back, with the tools that came with those that made it."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PLACES = "/usr/sbin:/sbin:/usr/bin:/bin"
NEEDS_E2FSPROGS = pytest.mark.skipif(
    shutil.which("mke2fs", path=PLACES) is None, reason="needs e2fsprogs"
)


def debugfs(image: Path | int, request: str) -> str:
    """What debugfs answers about an image, by path or descriptor."""
    keep = (image,) if isinstance(image, int) else ()
    named = f"/dev/fd/{image}" if isinstance(image, int) else str(image)
    command = [str(shutil.which("debugfs", path=PLACES)), "-R", request, named]
    done = subprocess.run(command, capture_output=True, text=True, check=True, pass_fds=keep)
    assert done.stderr.count("\n") == 1, done.stderr  # its own name and version
    return done.stdout


def entries(image: Path, folder: str = "/") -> dict[str, tuple[int, int]]:
    """Inode and mode by name, in one folder of an image."""
    lines = debugfs(image, f'ls -p "{folder}"').splitlines()
    fields = [line.split("/") for line in lines if line]
    found = {name: (int(inode), int(mode, 8)) for _, inode, mode, _, _, name, *_ in fields}
    return {name: entry for name, entry in found.items() if name not in {".", ".."}}


def is_sound(image: Path) -> bool:
    """Whether the whole file system hangs together, by e2fsck's own judgement."""
    command = [str(shutil.which("e2fsck", path=PLACES)), "-fn", str(image)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
