"""The digest of a folder: equal for equal names, kinds, modes, owners, links and bytes.

Rule: times are left out. A package that is unpacked anew is the same package.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK_BYTES = 1 << 20


def tree_digest(tree: Path) -> str:
    """64 hex digits. Raises `OSError` where something cannot be read, or vanished meanwhile."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(tree, onerror=_raise):
        folders.sort()
        for name in sorted((*folders, *names)):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            head = (os.path.relpath(path, tree), status.st_mode, status.st_uid, status.st_gid)
            digest.update(repr(head).encode())
            if stat.S_ISLNK(status.st_mode):
                target = os.fsencode(os.readlink(path))
                digest.update(b"%d\0%s" % (len(target), target))
            elif stat.S_ISREG(status.st_mode):
                digest.update(b"%d\0" % status.st_size)
                with open(path, "rb") as file:
                    while chunk := file.read(_CHUNK_BYTES):
                        digest.update(chunk)
    return digest.hexdigest()


def _raise(error: OSError) -> None:
    """A folder that is left out would make two packages one."""
    raise error
