"""What the SOURCE of `runtimes add --from` is, and unpacking it: a language's folder, or a root file system.

Forms: a folder; a tar of either (`docker export` writes one); an image in the OCI layout or from `docker save`, as a
folder or a tar.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plimsoll.errors import CallerError
from plimsoll.runtimes.image_layout import TOP_NAMES, is_image_layout, layers_of
from plimsoll.runtimes.unpack import unpack, unpack_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ROOTS = ("usr", "var/lang", "var/runtime")
"""A root file system has one of these, a language's folder none."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out of a source."""

    tree: Path
    kind: Literal["folder", "root"]


def unpack_source(source: Path, making: Path, on_progress: Callable[[str], None]) -> Unpacked:
    """Unpacks into a new folder under `making`. Raises `CallerError` naming the source, `HostCannot`."""
    try:
        mode = source.stat().st_mode
    except OSError as error:
        raise CallerError(
            f"{source}: {error.strerror}; --from takes a folder, a tar, or an image in the OCI layout"
        ) from error
    tree = making / "unpacked"
    tree.mkdir()
    on_progress(f"unpacking {source}")
    if stat.S_ISDIR(mode):
        left_out = _from_folder(source, tree)
    elif stat.S_ISREG(mode):
        left_out = _from_file(source, tree, making)
    else:
        raise CallerError(f"{source} is neither a file nor a folder")
    if left_out:
        on_progress(f"{left_out} device nodes and fifos left out: a box has its own /dev")
    return _told_apart(tree)


def _from_folder(source: Path, tree: Path) -> int:
    if is_image_layout(source):
        return unpack(layers_of(source, source), tree, layers_of_image=source)
    if _is_root(source):
        return unpack_folder(source, tree)
    try:
        shutil.copytree(source, tree, symlinks=True, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        first = error.args[0][0][-1] if isinstance(error, shutil.Error) else error
        raise CallerError(f"{source} cannot be copied: {first}") from error
    return 0


def _from_file(source: Path, tree: Path, making: Path) -> int:
    if not _is_image_tar(source):
        return unpack([source], tree)
    image = making / "image"
    image.mkdir()
    unpack([source], image)
    left_out = unpack(layers_of(image, source), tree, layers_of_image=source)
    shutil.rmtree(image)
    return left_out


def _is_image_tar(source: Path) -> bool:
    """By the names at its top, of which the first that no image has decides: a large tar is not read through."""
    seen = set()
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                name = os.path.normpath(member.name).split("/")[0]
                if name != "." and not TOP_NAMES.fullmatch(name):
                    return False
                seen.add(name)
    except (tarfile.TarError, OSError, EOFError, ValueError):
        # zstd before Python 3.14, or no tar at all: unpacking it will tell
        return False
    return bool(seen & {"oci-layout", "manifest.json"})


def _told_apart(tree: Path) -> Unpacked:
    if _is_root(tree):
        return Unpacked(tree, "root")
    inner = list(tree.iterdir())
    if len(inner) == 1 and (inner[0] / "bin").is_dir() and not inner[0].is_symlink():
        tree = inner[0]  # as Node's own archives are made: node-v22.1.0-linux-x64/bin/node
    _open_up(tree)
    return Unpacked(tree, "folder")


def _open_up(tree: Path) -> None:
    """It may come from a home that is closed to others: the function's user reads all of it, and nothing is set-id."""
    for folder, _, names in os.walk(tree):
        os.chmod(folder, 0o755)  # noqa: S103  read-only for the function all the same
        for name in names:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                os.chmod(path, 0o755 if mode & 0o111 else 0o644)


def _is_root(tree: Path) -> bool:
    return any((tree / name).is_dir() for name in _ROOTS)
