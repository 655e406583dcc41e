"""The folder of one running Plimsoll, and the removal of what a killed one left.

Theory of operation. Each process that runs environments owns `/run/plimsoll/<run>` and holds an exclusive lock on
its `lock` file for as long as it lives; the kernel drops the lock however it dies. Its cgroups carry the same
`<run>` in their path. Whoever starts next tries each lock: one that can be had has a dead owner, and its cgroups
and files are removed. Processes, mounts and namespaces need no sweep: they die with their owner (see `box_init`).
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll.errors import HostCannot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUN_ROOT = Path("/run/plimsoll")


@contextmanager
def run_folder(remove_cgroups: Callable[[str], None], parent: Path = RUN_ROOT) -> Iterator[Path]:
    """Sweeps what dead runs left, then gives a new folder, locked for the time of the context and removed after.

    `remove_cgroups` is given the name of a dead run, or of this one at its end. Raises `HostCannot` where the parent
    folder cannot be made.
    """
    try:
        parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise HostCannot(
            f"{parent} cannot be made: {error.strerror}", mend="run plimsoll as root (sudo)"
        ) from error
    sweep(remove_cgroups, parent)
    folder = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
    # locked before it carries its final name: a sweeper never sees it without an owner
    making = parent / f".{folder.name}"
    # with its parents: a run that ended meanwhile may have taken them away
    making.mkdir(mode=0o711, parents=True)
    lock = os.open(making / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    making.rename(folder)
    try:
        yield folder
    finally:
        remove_cgroups(folder.name)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
        with suppress(OSError):  # another run still uses it
            parent.rmdir()


def sweep(remove_cgroups: Callable[[str], None], parent: Path = RUN_ROOT) -> list[str]:
    """Removes the cgroups and folders of runs whose owner is dead; gives their names."""
    swept = []
    for making in parent.glob(".[0-9]*"):  # never got its name: nothing was made in it yet
        if not os.path.exists(f"/proc/{making.name[1:].partition('-')[0]}"):
            shutil.rmtree(making, ignore_errors=True)
    for folder in sorted(parent.glob("[0-9]*")):
        if owner_is_dead(folder):
            remove_cgroups(folder.name)
            shutil.rmtree(folder, ignore_errors=True)
            swept.append(folder.name)
    return swept


def owner_is_dead(folder: Path) -> bool:
    """Whether nobody holds a run folder's lock any more."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True  # its owner was removing it when it died
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
