"""Messages with descriptors, there and back."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from plimsoll.sandbox.passing import MESSAGE_BYTES, receive, send

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both ends of a socket that keeps the borders of messages."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize(
    "message",
    [
        ("create", 7, None, True, 1.5, b"\0\xff", "ä"),
        ((("a", 1), ["b"]), {"PATH": "/usr/bin"}),
        (),
        ("x" * (MESSAGE_BYTES - 64),),
    ],
)
def test_a_message_arrives_as_it_was_sent(pair: Pair, message: tuple[object, ...]) -> None:
    """Plain values of any depth, up to the size of a message, without descriptors."""
    send(pair[0], message)
    assert receive(pair[1]) == (message, [])


def test_messages_keep_their_order_and_borders(pair: Pair) -> None:
    """Two that were sent are two that arrive."""
    send(pair[0], ("first",))
    send(pair[0], ("second",))
    assert [receive(pair[1])[0], receive(pair[1])[0]] == [("first",), ("second",)]


@pytest.mark.parametrize("count", [1, 3, 16])
def test_descriptors_arrive_as_copies_in_their_order(pair: Pair, count: int) -> None:
    """Each copy is the same open file under another number, and is not inherited by programs that are started."""
    sent = [os.memfd_create(f"file {number}") for number in range(count)]
    for number, fd in enumerate(sent):
        os.write(fd, b"%d" % number)
    send(pair[0], ("take",), sent)
    message, received = receive(pair[1])
    contents = [os.pread(fd, 8, 0) for fd in received]
    inheritable = {os.get_inheritable(fd) for fd in received}
    for fd in (*sent, *received):
        os.close(fd)
    assert (message, contents) == (("take",), [b"%d" % number for number in range(count)])
    assert not set(sent) & set(received)
    assert inheritable == {False}


def test_a_copy_outlives_what_it_was_made_of(pair: Pair) -> None:
    """The sender may close its own at once: the one on its way keeps the file."""
    fd = os.memfd_create("file")
    os.write(fd, b"kept")
    send(pair[0], ("take",), [fd])
    os.close(fd)
    _, (received,) = receive(pair[1])
    text = os.pread(received, 8, 0)
    os.close(received)
    assert text == b"kept"


def test_the_end_of_the_other_side_is_no_message(pair: Pair) -> None:
    """None tells that nobody is there any more; what was sent before still arrives."""
    send(pair[0], ("last",))
    pair[0].close()
    assert receive(pair[1]) == (("last",), [])
    assert receive(pair[1]) == (None, [])


def test_sending_to_nobody_is_the_kernels_error(pair: Pair) -> None:
    """The sender is told, and by no signal."""
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        send(pair[0], ("anyone?",))
