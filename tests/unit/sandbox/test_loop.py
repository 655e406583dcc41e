"""What the kernel is told to mount an image, with its answers in a fake's hands; nothing is mounted."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from plimsoll.sandbox import loop, syscalls

if TYPE_CHECKING:
    from pathlib import Path

# include/uapi/linux/loop.h
INFO_BYTES, CONFIG_BYTES = 232, 304
GET_FREE, CONFIGURE, GET_STATUS = 0x4C82, 0x4C0A, 0x4C05
READ_ONLY, AUTOCLEAR, DIRECT_IO = 1, 4, 16
SET_READAHEAD, SHUTDOWN = 0x1262, 0x8004587D
FLAGS_AT = 52
"""Of `lo_flags` in `struct loop_info64`: five numbers of 8 bytes and three of 4 stand before it."""


@dataclass
class Kernel:
    """Loop devices and mounts that are written down; a device is a plain file."""

    folder: Path
    free: list[int] = field(default_factory=lambda: [7])
    """What LOOP_CTL_GET_FREE gives, one after the other, the last one for ever."""
    busy: set[int] = field(default_factory=set)
    """Devices that somebody else was faster to take."""
    errno: int = 0
    """What every LOOP_CONFIGURE fails with."""
    direct_io: bool = True
    """Whether the image's own file system can do it."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    configs: list[bytes] = field(default_factory=list)
    mounts: list[tuple[object, ...]] = field(default_factory=list)

    def path(self, number: int) -> Path:
        """The file in a device's place."""
        return self.folder / f"loop{number}"

    def open(self, path: str | Path, flags: int, *more: int) -> int:
        """open(2): devices are ours, all else is the host's."""
        folder, _, name = str(path).rpartition("/")
        if folder == "/dev" and name.startswith("loop"):
            self.asked.append((name, flags & os.O_ACCMODE))
            path = self.folder / name
        return REAL_OPEN(path, flags, *more)

    def mknod(self, path: str, mode: int, device: int) -> None:
        """mknod(2): written down, and a file stands there then."""
        self.mounts.append(("mknod", path, mode, device))
        (self.folder / path.removeprefix("/dev/")).touch()

    def ioctl(self, fd: int, request: int, argument: object = 0) -> int:
        """ioctl(2) as loop devices and ext4 answer it."""
        name = os.readlink(f"/proc/self/fd/{fd}").rpartition("/")[2]
        if request == GET_FREE:
            return self.free.pop(0) if len(self.free) > 1 else self.free[0]
        if request == CONFIGURE:
            assert isinstance(argument, bytes)
            self.configs.append(argument)
            if self.errno:
                raise OSError(self.errno, os.strerror(self.errno))
            if int(name.removeprefix("loop")) in self.busy:
                raise OSError(errno.EBUSY, "Device or resource busy")
        elif request == GET_STATUS:
            assert isinstance(argument, bytearray)
            assert len(argument) == INFO_BYTES
            struct.pack_into("=I", argument, FLAGS_AT, AUTOCLEAR | (DIRECT_IO * self.direct_io))
        else:
            self.mounts.append(("ioctl", name, request, argument))
        return 0

    def mount(self, *arguments: object) -> None:
        """mount(2)."""
        self.mounts.append(("mount", *arguments))


REAL_OPEN = os.open


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A host with a loop driver and the devices 0 to 9."""
    kernel = Kernel(tmp_path)
    for name in ("loop-control", *(f"loop{number}" for number in range(10))):
        (tmp_path / name).touch()
    monkeypatch.setattr(os, "open", kernel.open)
    monkeypatch.setattr(os, "mknod", kernel.mknod)
    monkeypatch.setattr(fcntl, "ioctl", kernel.ioctl)
    monkeypatch.setattr(syscalls, "mount", kernel.mount)
    monkeypatch.setattr(
        syscalls, "umount_lazily", lambda target: kernel.mounts.append(("umount", target))
    )
    return kernel


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file that stands for an image."""
    path = tmp_path / "image"
    path.write_bytes(b"x" * 4096)
    return path


def descriptors() -> set[str]:
    """All that we have open."""
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return {os.readlink(link) for link in links if os.path.lexists(link)}


def fields(config: bytes) -> tuple[int, int, int]:
    """The backing file, block size and flags of a `struct loop_config`."""
    file, block_bytes = struct.unpack_from("=II", config)
    (flags,) = struct.unpack_from("=I", config, 8 + FLAGS_AT)
    return file, block_bytes, flags


def test_the_structures_are_the_kernels(kernel: Kernel, image: Path) -> None:
    """`struct loop_info64` has 232 bytes and `struct loop_config` 304: the kernel copies as many."""
    assert struct.calcsize(loop._INFO) == INFO_BYTES
    loop.mount_read_only(str(image), "var/task")
    assert [len(config) for config in kernel.configs] == [CONFIG_BYTES]


def test_an_image_is_never_written(kernel: Kernel, image: Path) -> None:
    """Opened and attached for reading, freed with its mount; the mount has no journal, set-user-id or devices."""
    loop.mount_read_only(str(image), "var/task")
    assert kernel.asked == [("loop-control", os.O_RDWR), ("loop7", os.O_RDONLY)]
    assert [fields(config)[1:] for config in kernel.configs] == [(4096, READ_ONLY | AUTOCLEAR)]
    flags = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV
    assert kernel.mounts == [
        ("ioctl", "loop7", SET_READAHEAD, loop.READAHEAD_BYTES // 512),
        ("mount", "/dev/loop7", "var/task", "ext4", flags, "noload"),
    ]


@pytest.mark.parametrize("direct_io", [True, False])
def test_a_disk_is_written_around_the_page_cache(
    kernel: Kernel, image: Path, direct_io: bool
) -> None:
    """Direct I/O is asked for, and whether the kernel does it is told; mounted as AWS mounts its own."""
    kernel.direct_io = direct_io
    file = os.open(image, os.O_RDWR)
    assert loop.mount_writable(file, "tmp") is direct_io
    os.close(file)
    assert kernel.asked[-1] == ("loop7", os.O_RDWR)
    assert [fields(config) for config in kernel.configs] == [(file, 4096, AUTOCLEAR | DIRECT_IO)]
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
    assert kernel.mounts == [("mount", "/dev/loop7", "tmp", "ext4", flags, "data=writeback")]


@pytest.mark.parametrize("fails", [0, errno.EPERM])
def test_no_descriptor_stays(kernel: Kernel, image: Path, fails: int) -> None:
    """Neither the image's nor a device's: the mount alone keeps both, and a refusal keeps nothing."""
    before = descriptors()
    kernel.errno = fails
    if fails:
        with pytest.raises(PermissionError):
            loop.mount_read_only(str(image), "var/task")
    else:
        loop.mount_read_only(str(image), "var/task")
    assert descriptors() == before


def test_a_device_that_was_taken_meanwhile(kernel: Kernel, image: Path) -> None:
    """Two who ask at once are given the same one: whoever is slower asks again."""
    kernel.free, kernel.busy = [3, 3, 4], {3}
    loop.mount_read_only(str(image), "var/task")
    assert [name for name, _ in kernel.asked] == ["loop-control", "loop3", "loop3", "loop4"]
    assert kernel.mounts[-1][1] == "/dev/loop4"


def test_devices_that_are_always_taken(kernel: Kernel, image: Path) -> None:
    """Asked a hundred times, and then told."""
    kernel.busy = {7}
    with pytest.raises(OSError) as caught:
        loop.mount_read_only(str(image), "var/task")
    expected = (errno.EBUSY, "no loop device was to be had in 100 attempts")
    assert expected == (caught.value.errno, caught.value.strerror)
    assert len(kernel.configs) == 100


def test_a_refusal_names_the_device(kernel: Kernel, image: Path) -> None:
    """Asking again would not help: the kernel's reason is passed on at once."""
    kernel.errno = errno.EINVAL
    with pytest.raises(OSError) as caught:
        loop.mount_read_only(str(image), "var/task")
    expected = (errno.EINVAL, "/dev/loop7: Invalid argument")
    assert expected == (caught.value.errno, caught.value.strerror)
    assert len(kernel.configs) == 1


def test_a_host_without_the_driver(kernel: Kernel, image: Path) -> None:
    """The error names the file that is missing."""
    (kernel.folder / "loop-control").unlink()
    with pytest.raises(FileNotFoundError, match="loop-control"):
        loop.mount_read_only(str(image), "var/task")


def test_a_node_that_is_missing_is_made(kernel: Kernel, image: Path) -> None:
    """In a container whose `/dev` is no devtmpfs the kernel's new device has none: a block device, major number 7."""
    kernel.free = [12]
    loop.mount_read_only(str(image), "var/task")
    assert kernel.mounts[0] == (
        *("mknod", "/dev/loop12", stat.S_IFBLK | 0o660),
        os.makedev(7, 12),
    )
    assert kernel.mounts[-1][1] == "/dev/loop12"


def test_a_node_that_may_not_be_made(
    kernel: Kernel, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container without CAP_MKNOD: refused, and nothing stays open."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "mknod", refuse)
    kernel.free = [12]
    before = descriptors()
    with pytest.raises(PermissionError):
        loop.mount_read_only(str(image), "var/task")
    assert descriptors() == before


def test_an_image_is_shown_in_parts(kernel: Kernel, image: Path) -> None:
    """One mount for all that is shown of it, so one page cache; its own place is gone afterwards."""
    loop.show_image(str(image), [("lang", "var/lang"), ("system/lib/c.so", "lib/c.so")])
    mounted, *shown, gone = kernel.mounts[1:]
    assert mounted[1:3] == ("/dev/loop7", "mnt")
    assert shown == [
        ("mount", "mnt/lang", "var/lang", None, syscalls.MS_BIND),
        ("mount", "mnt/system/lib/c.so", "lib/c.so", None, syscalls.MS_BIND),
    ]
    assert gone == ("umount", "mnt")


def test_writes_are_abandoned(kernel: Kernel, image: Path) -> None:
    """ext4's own shutdown without a flush of its log, by any descriptor in it."""
    inside = os.open(image, os.O_RDONLY)
    loop.abandon_writes(inside)
    os.close(inside)
    assert kernel.mounts == [("ioctl", "image", SHUTDOWN, struct.pack("=I", 2))]
