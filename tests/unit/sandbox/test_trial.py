"""A mount that is tried in a child, which plays through what a kernel may answer; nothing is mounted."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from plimsoll.sandbox import loop, syscalls
from plimsoll.sandbox.trial import Trial, try_disk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in which the child writes down what it asks the kernel for."""
    asked = tmp_path / "asked"
    asked.touch()

    def note(*words: object) -> None:
        with asked.open("a") as file:
            print(os.getpid(), *words, file=file)

    monkeypatch.setattr(syscalls, "unshare", lambda flags: note("unshare", flags))
    monkeypatch.setattr(syscalls, "mount", lambda *words: note("mount", *words))
    monkeypatch.setattr(loop, "mount_writable", lambda file, target: note("disk", file, target))
    return asked


@pytest.mark.parametrize("direct_io", [True, False])
def test_what_can_be_mounted(asked: Path, monkeypatch: pytest.MonkeyPatch, direct_io: bool) -> None:
    """It is said so, and whether it goes around the page cache of its file."""
    monkeypatch.setattr(loop, "mount_writable", lambda file, target: direct_io)
    assert try_disk(0) == Trial(None, direct_io)


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOENT, "modprobe loop"),
        (errno.ENODEV, "modprobe ext4"),
        (errno.EPERM, "run plimsoll as root (sudo); a container needs --privileged"),
        (errno.EACCES, "run plimsoll as root (sudo); a container needs --privileged"),
        (errno.EINVAL, None),
    ],
)
def test_what_is_refused(
    asked: Path, monkeypatch: pytest.MonkeyPatch, number: int, mend: str | None
) -> None:
    """In the kernel's words, and with the command that mends it where one is known."""

    def refuse(file: int, target: str) -> bool:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(loop, "mount_writable", refuse)
    assert try_disk(0) == Trial(os.strerror(number), False, mend)


def test_nobody_sees_it(asked: Path) -> None:
    """Another process, in a mount namespace of its own that tells nobody: the mount is gone with it."""
    try_disk(7)
    lines = [line.split() for line in asked.read_text().splitlines()]
    assert [words[1:] for words in lines] == [
        ["unshare", str(syscalls.CLONE_NEWNS)],
        ["mount", "none", "/", "None", str(syscalls.MS_REC | syscalls.MS_PRIVATE)],
        ["disk", "7", "/tmp"],
    ]
    (child,) = {int(pid) for pid, *_ in lines}
    assert child != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_no_descriptor_stays(asked: Path) -> None:
    """The pipe that the answer comes through is closed at both ends."""
    before = len(os.listdir("/proc/self/fd"))
    try_disk(0)
    assert len(os.listdir("/proc/self/fd")) == before
