"""Messages with descriptors over a private socket: between Plimsoll, its spawner and the boxes' first processes.

Rule: both ends are the same interpreter, so `marshal` serves: it needs no module and takes a microsecond. Written
on the C module under `socket`, whose own module would be a megabyte more in every box.
"""

from __future__ import annotations

import _socket
import marshal
import struct

TYPE_CHECKING = False  # see box_init
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MESSAGE_BYTES = 1 << 17
_FDS_MAX = 16
_room = bytearray(MESSAGE_BYTES)  # once: a new one would be mapped and unmapped for each message


def send(to: _socket.socket, message: tuple[Any, ...], fds: Sequence[int] = ()) -> None:
    """One message, with copies of `fds` for the receiver. Raises `OSError`."""
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))]
    to.sendmsg([marshal.dumps(message)], rights if fds else [])


def receive(source: _socket.socket) -> tuple[tuple[Any, ...] | None, list[int]]:
    """The next message and its descriptors; None when the other end has gone."""
    rights = _socket.CMSG_SPACE(4 * _FDS_MAX)
    length, ancillary, _, _ = source.recvmsg_into([_room], rights, _socket.MSG_CMSG_CLOEXEC)
    fds: list[int] = []
    for level, kind, packed in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            fds += struct.unpack(f"{len(packed) // 4}i", packed)
    # marshal stops at the end of its value, whatever an earlier message left behind it
    return (marshal.loads(_room) if length else None), fds  # noqa: S302  see the module
