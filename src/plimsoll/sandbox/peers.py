"""Whose process is at the other end of a loopback connection.

Why: with the host's network every process of the host can reach an environment's listener, the functions of other
environments above all. TCP has no credentials; the kernel's tables lead from the two addresses to the socket's inode,
and `/proc/<pid>/fd` from there to the process. A quarter of a millisecond, once for each connection.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Address = tuple[str, int]
LOOKED_AT_MAX = 64
"""Processes whose descriptors are looked at; the runtime is among the first of its environment."""


def comes_from(client: Address, server: Address, pids: Iterable[int]) -> bool:
    """Whether one of these processes (as the host sees them) holds the client's end of an IPv4 connection."""
    with open("/proc/net/tcp") as table:
        inode = inode_of(table, client, server)
    return inode is not None and any(_holds(pid, inode) for pid in sorted(pids)[:LOOKED_AT_MAX])


def inode_of(table: Iterable[str], local: Address, remote: Address) -> str | None:
    """The socket with these two ends in the lines of `/proc/net/tcp`, by its inode."""
    ends = [_in_hex(local), _in_hex(remote)]
    for line in table:
        words = line.split()
        if words[1:3] == ends:
            return words[9]
    return None


def _in_hex(address: Address) -> str:
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"


def _holds(pid: int, inode: str) -> bool:
    with suppress(OSError):  # it has just ended
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode}]":
                    return True
    return False
