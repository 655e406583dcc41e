"""Makes ext4 images with the host's e2fsprogs.

Rule: an image is made at a path that nobody else looks at, and holds nothing but what it was given: `lost+found` is
taken out again, unless the folder has one itself, since on AWS no function finds one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING

from plimsoll.errors import HostCannot

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_BYTES = 4096
_INODE_BYTES = 256
_SYSTEM_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_FITS = (1.0, 1.5, 3.0)
"""What the estimate is multiplied with, until the tree fits: directories can be worse than it thinks."""
_MADE_BY_MKE2FS = "lost+found"
_COMMON = ("-q", "-F", "-t", "ext4", "-b", str(BLOCK_BYTES), "-I", str(_INODE_BYTES))
_LAZY = "nodiscard,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0"
_LITTLE_BLOCKS = 420
_JOURNAL_BLOCKS = (
    (262144, 4096),
    (524288, 8192),
    (4194304, 16384),
    (1 << 62, 32768),
)


def make_image(tree: Path, image: Path) -> None:
    """Packs a folder into a read-only image without journal. Raises `HostCannot`.

    Owners, modes, times and links are kept. Sparse on the host, with a few percent to spare.
    """
    blocks, inodes = _estimate(tree)
    for factor in _FITS:
        try:
            with open(image, "xb") as file:
                file.truncate(int(blocks * factor) * BLOCK_BYTES)
            _run(
                *("mke2fs", *_COMMON, "-m", "0", "-E", _LAZY, "-d", str(tree.absolute())),
                *("-O", "^has_journal,^resize_inode", "-N", str(int(inodes * factor)), image.name),
                cwd=image.parent,  # by name alone: e2fsprogs take what follows a ? for an option
            )
            if not (tree / _MADE_BY_MKE2FS).exists():
                rmdir = f"rmdir {_MADE_BY_MKE2FS}"
                _run("debugfs", "-w", "-R", rmdir, image.name, cwd=image.parent)
        except HostCannot as error:
            image.unlink(missing_ok=True)
            if factor == _FITS[-1] or "allocate" not in error.message:
                raise
        else:
            break


def open_blank(folder: Path, size_mib: int) -> int:
    """An empty file system in a file without a name, which is gone when its last user is; gives a descriptor.

    Mounted, it shows as `/tmp` of `size_mib` does on AWS: for 512 `df -h` has 526M in size and 514M available (facts
    sheet C1, C2), which is what mke2fs's defaults leave of a device of 550 MiB. Raises `HostCannot`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _open_nameless(folder)
        os.ftruncate(file, blank_blocks(size_mib) * BLOCK_BYTES)
    except OSError as error:
        raise HostCannot(
            f"no file for a /tmp on disk can be made in {folder}: {error.strerror}",
            mend="set PLIMSOLL_HOME to a folder on a disk",
        ) from error
    try:
        _run(
            *("mke2fs", *_COMMON, "-m", "0.1", "-O", "^resize_inode", "-E", _LAZY),
            f"/dev/fd/{file}",
            keep=(file,),
        )
    except HostCannot:
        os.close(file)
        raise
    return file


def _open_nameless(folder: Path) -> int:
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:  # overlayfs before Linux 6.1, NFS
        file, path = tempfile.mkstemp(prefix=".tmp-", dir=folder)
        os.unlink(path)
        return file


def blank_blocks(size_mib: int) -> int:
    """Blocks of the device on which `size_mib` MiB and a little are available.

    >>> blank_blocks(512) * 4096 >> 20
    550
    """
    wanted = (size_mib << 8) + _LITTLE_BLOCKS
    blocks = wanted
    while blocks - _taken_blocks(blocks) < wanted:
        blocks += 16
    return blocks


def _taken_blocks(blocks: int) -> int:
    """What of a device neither file nor folder gets.

    That is mke2fs's journal (`ext2fs_default_journal_size`), inode tables and descriptors, and the kernel's reserve
    (`ext4_calculate_resv_clusters` in fs/ext4/super.c: 2 %, at most 4,096).
    """
    journal = next(size for below, size in _JOURNAL_BLOCKS if blocks < below)
    groups = -(-blocks // 32768)
    inode_tables = blocks * BLOCK_BYTES // 16384 * _INODE_BYTES // BLOCK_BYTES
    return journal + inode_tables + min(blocks // 50, 4096) + blocks // 1000 + groups * 18


def _estimate(tree: Path) -> tuple[int, int]:
    """Blocks and inodes that the tree needs, on the generous side."""
    blocks = inodes = 0
    for folder, folders, names in os.walk(tree):
        inodes += len(folders) + len(names)
        entries = sum(12 + len(os.fsencode(name)) for name in (*folders, *names))
        blocks += 1 + entries * 3 // 2 // BLOCK_BYTES  # blocks of names are half to quite full
        for name in names:
            blocks += -(-os.lstat(os.path.join(folder, name)).st_size // BLOCK_BYTES)
    inodes += inodes // 20 + 64
    blocks += inodes * _INODE_BYTES // BLOCK_BYTES + blocks // 32 + 256
    return blocks, inodes


def _run(
    program: str, *arguments: str, keep: tuple[int, ...] = (), cwd: Path | None = None
) -> None:
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")
    if found is None:
        raise HostCannot(
            f"this host has no {program}, which makes file-system images",
            mend="apt-get install e2fsprogs",
        )
    done = subprocess.run(
        [found, *arguments],
        capture_output=True,
        text=True,
        errors="backslashreplace",  # they name files, and names may be any bytes
        cwd=cwd,
        env={"LC_ALL": "C"},
        pass_fds=keep,
        check=False,
    )
    # debugfs says what went wrong, and ends with 0
    words = [line for line in done.stderr.splitlines() if not line.startswith(f"{program} ")]
    if done.returncode != 0 or words:
        raise HostCannot(f"{program} failed for {arguments[-1]}: {' '.join(words)}")
