"""Files of a root file system, looked at from outside of it.

Rule: a path is followed as a process inside would follow it; no link of the image leads to a file of this host.
"""

from __future__ import annotations

import os
import platform
import stat
import struct
from pathlib import Path

_LINKS_MAX = 40
_MACHINES = {0x3E: "x86_64", 0xB7: "aarch64", 0x28: "32-bit ARM", 0x03: "i386"}
"""e_machine (include/uapi/linux/elf-em.h)."""
_HEAD_BYTES = 4096
_PT_INTERP = 3


def resolve_in(root: Path, path: str) -> Path | None:
    """The host's path of what `path` names inside; None where it leads nowhere."""
    waiting = [part for part in reversed(path.split("/")) if part not in {"", "."}]
    here: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            del here[-1:]
            continue
        there = os.path.join(root, *here, part)
        try:
            mode = os.lstat(there).st_mode
        except OSError:
            return None
        if not stat.S_ISLNK(mode):
            here.append(part)
            continue
        links += 1
        if links > _LINKS_MAX:
            return None
        target = os.readlink(there)
        if target.startswith("/"):
            here = []
        waiting += [p for p in reversed(target.split("/")) if p not in {"", "."}]
    return Path(root, *here)


def why_unusable(root: Path, path: str) -> str | None:
    """Why a program inside `root` could not be started by a function; None where it could."""
    found = resolve_in(root, path)
    if found is None or not found.is_file():
        return f"{path} is not there"
    mode = stat.S_IMODE(found.stat().st_mode)
    if mode & 0o005 != 0o005:
        return f"{path} is not executable for everybody (mode {mode:04o})"
    with open(found, "rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n")[0].split()
        interpreter = os.fsdecode(words[0]) if words else ""
        if resolve_in(root, interpreter) is None or not interpreter:
            return f"{path} is a script for {interpreter or 'nothing'}, which is not there"
        return None
    return _why_not_for_this_host(path, head)


def _why_not_for_this_host(path: str, head: bytes) -> str | None:
    if not head.startswith(b"\x7fELF") or len(head) < 64:
        return f"{path} is neither an ELF program nor a script"
    order = "<" if head[5] == 1 else ">"
    (number,) = struct.unpack_from(f"{order}H", head, 18)
    machine = _MACHINES.get(number, f"machine {number}")
    if machine != platform.machine():
        return f"{path} is for {machine}, and this host is {platform.machine()}"
    return None


def program_loader(program: Path) -> str:
    """The loader that a 64-bit program names (PT_INTERP); empty for a static one."""
    with open(program, "rb") as file:
        head = file.read(64)
        if not head.startswith(b"\x7fELF\x02\x01") or len(head) < 64:
            return ""
        (offset,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        for number in range(count):
            file.seek(offset + number * size)
            entry = file.read(56)
            if len(entry) == 56 and struct.unpack_from("<I", entry)[0] == _PT_INTERP:
                at, length = (
                    struct.unpack_from("<Q", entry, 8)[0],
                    struct.unpack_from("<Q", entry, 32)[0],
                )
                file.seek(at)
                return file.read(min(length, _HEAD_BYTES)).rstrip(b"\0").decode(errors="replace")
    return ""
