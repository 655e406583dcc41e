"""Whose process is at the other end of a connection, by the kernel's own tables."""

from __future__ import annotations

import os
import socket

import pytest

from plimsoll.sandbox.peers import comes_from, inode_of

RECORDED = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
   2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000   993        0 4713 1 0 20 4 30 10 -1
"""


@pytest.mark.parametrize(
    ("local", "remote", "inode"),
    [
        (("127.0.0.1", 50000), ("127.0.0.1", 8080), "4713"),
        (("127.0.0.1", 8080), ("127.0.0.1", 50000), "4712"),
        (("127.0.0.1", 50001), ("127.0.0.1", 8080), None),
        (("127.0.0.2", 50000), ("127.0.0.1", 8080), None),
    ],
)
def test_inode(local: tuple[str, int], remote: tuple[str, int], inode: str | None) -> None:
    """The socket with exactly these two ends, seen from the end that is asked for."""
    assert inode_of(RECORDED.splitlines(), local, remote) == inode


def test_a_real_connection() -> None:
    """A connection that this process holds comes from it, and from no process that does not hold it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        ends = client.getsockname(), client.getpeername()
        assert comes_from(*ends, [os.getpid()])
        assert not comes_from(*ends, [])
        assert not comes_from(*ends, [os.getppid(), 1 << 22])
        client.close()
        assert not comes_from(*ends, [os.getpid()])
