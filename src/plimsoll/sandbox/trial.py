"""Tries a loop mount where nobody sees it: in a child with a mount namespace of its own, which then ends."""

from __future__ import annotations

import errno
import marshal
import os
from dataclasses import dataclass

from plimsoll.sandbox import loop, syscalls

_PLACE = "/tmp"
_MENDS = {
    errno.ENOENT: "modprobe loop",
    errno.ENODEV: "modprobe ext4",
    errno.EPERM: "run plimsoll as root (sudo); a container needs --privileged",
    errno.EACCES: "run plimsoll as root (sudo); a container needs --privileged",
}


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went."""

    refused: str | None
    """Why the kernel would not; None if it did."""
    direct_io: bool = False
    """Whether the device goes around the page cache of its file."""
    mend: str | None = None


def try_disk(file: int) -> Trial:
    """Mounts the ext4 in an open file for writing, and lets it go."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, marshal.dumps(_try(file)))
        finally:
            os._exit(0)  # whatever happened: there must be no second Plimsoll
    os.close(write)
    with open(read, "rb") as answers:
        answer = answers.read() or marshal.dumps((0, "the trial died", False))
    number, words, direct_io = marshal.loads(answer)  # noqa: S302  our own child
    os.waitpid(pid, 0)
    return Trial(words or None, direct_io, _MENDS.get(number))


def _try(file: int) -> tuple[int, str, bool]:
    try:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        direct_io = loop.mount_writable(file, _PLACE)
    except OSError as error:
        return error.errno or 0, error.strerror or str(error), False
    return 0, "", direct_io
