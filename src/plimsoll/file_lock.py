"""One at a time, across processes: a lock on a file, which the kernel lets go of however its holder dies.

Rule: what is made in the data folder is made under its lock, beside its place, and renamed into it.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plimsoll.errors import HostCannot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def locked(folder: Path, name: str = ".lock") -> Iterator[None]:
    """Holds the lock `name` of a folder, which is made if need be; waits for it (flock(2)).

    Raises `HostCannot` where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise HostCannot(
            f"{folder} cannot be written: {error.strerror}", mend="set PLIMSOLL_HOME"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
