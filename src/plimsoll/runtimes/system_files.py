"""The host's system libraries that a runtime's programs map: copied beside it, so that they can go into its image.

Why: what a runtime maps from the host's own file system is charged to whoever read it first, and so not, or only
sometimes, to the environment. Rule: a copy stands for the file at its path on the host and is taken anew when that
changed, since the pieces of a C library fit only each other.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll.errors import HostCannot

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
_SHOWN = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/lib32")
"""System folders that a box shows (`sandbox.template`)."""
_PROGRAMS = ("lang/bin/*", "lang/lib/*.so*", "lang/lib/*/lib-dynload/*.so", "runtime/*.so")
_MAPPED = re.compile(r"(?:=> |^\t)(/.+) \(0x[0-9a-f]+\)$", re.MULTILINE)
_ELF = b"\x7fELF"


def copy_system_files(folder: Path) -> None:
    """Copies what the programs of `folder` map of the host's libraries to `folder/system`, under their full paths.

    A library in a place that no box shows goes to `lang/lib`, where the loader looks first.
    Raises `HostCannot` on a host without the GNU C library, `OSError`.
    """
    making = folder / ".system"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    own = folder.resolve()
    for path in sorted(_mapped(folder)):
        real = path.resolve()
        if real.is_relative_to(own):
            continue
        shown = any(real.is_relative_to(place) for place in _SHOWN)
        copy = making / real.relative_to("/") if shown else folder / "lang/lib" / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(real, copy)
    # whole or not at all: half of a C library would pass for current
    shutil.rmtree(folder / "system", ignore_errors=True)
    making.rename(folder / "system")


def system_files(folder: Path) -> dict[str, tuple[int, int]]:
    """The copies by the path that they stand for, with size and time of change."""
    system = folder / "system"
    return {
        f"/{path.relative_to(system)}": _stamp(path)
        for path in sorted(system.rglob("*"))
        if path.is_file()
    }


def are_current(folder: Path) -> bool:
    """Whether they have been copied, and the host's files are still those."""
    if not (folder / "system").is_dir():
        return False
    try:
        return all(_stamp(Path(path)) == stamp for path, stamp in system_files(folder).items())
    except FileNotFoundError:
        return False


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _mapped(folder: Path) -> set[Path]:
    """Host paths of all that the loader would map for the programs of a runtime."""
    loader = _LOADERS.get(platform.machine(), "")
    if not os.path.exists(loader):
        raise HostCannot("this host has no GNU C library, for which the language runtimes are made")
    # from within: a folder's name may hold blanks and colons, which end a path here
    variables = {"LD_LIBRARY_PATH": "lang/lib"}
    found: set[Path] = set()
    for program in _programs(folder):
        command = [loader, "--list", f"./{program.relative_to(folder)}"]
        # fails for a static program, and for an extension whose libraries this host has not: nothing to copy
        done = subprocess.run(
            command, env=variables, cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            found.update(map(Path, _MAPPED.findall(done.stdout)))
    return found


def _programs(folder: Path) -> Iterable[Path]:
    for place in _PROGRAMS:
        for path in folder.glob(place):
            if path.is_file() and not path.is_symlink():
                with open(path, "rb") as file:
                    if file.read(4) == _ELF:
                        yield path
