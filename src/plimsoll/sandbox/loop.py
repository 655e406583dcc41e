"""Mounts an image file through a loop device: a superblock, and so a page cache, of its own for each mount.

Rule: nothing to clean up. A device is set up with autoclear, so the kernel frees it with the mount, and the mount goes
with its namespace, however its owner died. Loaded by a box's process 1: see there what it may import.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct

from plimsoll.sandbox import syscalls

TYPE_CHECKING = False  # see box_init
if TYPE_CHECKING:
    from collections.abc import Sequence

READAHEAD_BYTES = 256 << 10
"""One setting for all images, part of the calibration (docs/decisions/0012): what a page fault brings in beside the
page itself is memory of the function's, here as on AWS."""
BLOCK_BYTES = 4096
_CONTROL = "/dev/loop-control"
_MAJOR = 7
# include/uapi/linux/loop.h and fs.h
_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_LOOP_GET_STATUS64 = 0x4C05
_BLKRASET = 0x1262
_EXT4_IOC_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2
_READ_ONLY, _AUTOCLEAR, _DIRECT_IO = 1, 4, 16
_INFO = "=5Q4I64s64s32s2Q"
_FLAGS_FIELD = 8
_EBUSY = 16
_MEANWHILE = "mnt"
_ATTEMPTS = 100


def mount_read_only(image: str, target: str) -> None:
    """Mounts an ext4 image without ever writing to it. Raises `OSError`.

    Its pages in the host's page cache are read by the loop device's own kernel thread, so they are charged to no
    environment: not with direct I/O, since then each environment would wait for the disk anew.
    """
    file = os.open(image, os.O_RDONLY | os.O_CLOEXEC)
    try:
        path, device = _attach(file, _READ_ONLY | _AUTOCLEAR)
    finally:
        os.close(file)
    try:
        fcntl.ioctl(device, _BLKRASET, READAHEAD_BYTES // 512)
        flags = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount(path, target, "ext4", flags, "noload")
    finally:
        os.close(device)


def show_image(image: str, shown: Sequence[tuple[str, str]]) -> None:
    """Mounts an image and shows its folders and files, each `(inside the image, here)`, at their places.

    The places are relative to the current folder, in whose `mnt` the image is mounted meanwhile. Raises `OSError`.
    """
    mount_read_only(image, _MEANWHILE)
    for inner, target in shown:
        # a bind takes over the flags of the mount that it is made of: read-only, no set-user-id, no devices
        syscalls.mount(f"{_MEANWHILE}/{inner}", target, None, syscalls.MS_BIND)
    syscalls.umount_lazily(_MEANWHILE)


def mount_writable(file: int, target: str) -> bool:
    """Mounts the ext4 in an open file for writing, as AWS mounts `/tmp` (facts sheet C2). Raises `OSError`.

    With direct I/O where the file's own file system can do it, so that what is written is in memory once: says whether.
    """
    path, device = _attach(file, _AUTOCLEAR | _DIRECT_IO)
    try:
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount(path, target, "ext4", flags, "data=writeback")
        return _uses_direct_io(device)
    finally:
        os.close(device)


def abandon_writes(inside: int) -> None:
    """Lets an ext4 that will not be needed any more forget what it has not written yet; by any descriptor in it.

    Without it the end of a mount waits until all of that has been written to a file that nobody will ever read.
    """
    fcntl.ioctl(inside, _EXT4_IOC_SHUTDOWN, struct.pack("=I", _NO_LOG_FLUSH))


def _attach(file: int, flags: int) -> tuple[str, int]:
    """A free loop device on `file`, by path and by a descriptor that keeps it until it is mounted."""
    mode = os.O_RDONLY if flags & _READ_ONLY else os.O_RDWR
    info = struct.pack(_INFO, 0, 0, 0, 0, 0, 0, 0, 0, flags, b"", b"", b"", 0, 0)
    config = struct.pack("=II", file, BLOCK_BYTES) + info + bytes(64)
    control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_ATTEMPTS):
            number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            path, device = _open_device(number, mode)
            try:
                fcntl.ioctl(device, _LOOP_CONFIGURE, config)
            except OSError as error:
                os.close(device)
                if error.errno != _EBUSY:  # somebody else was given it too, and was faster
                    raise OSError(error.errno, f"{path}: {error.strerror}") from error
            else:
                return path, device
    finally:
        os.close(control)
    raise OSError(_EBUSY, f"no loop device was to be had in {_ATTEMPTS} attempts")


def _uses_direct_io(device: int) -> bool:
    """Whether a loop device goes around the page cache of its file: the kernel decides."""
    status = bytearray(struct.calcsize(_INFO))
    fcntl.ioctl(device, _LOOP_GET_STATUS64, status)
    return bool(struct.unpack(_INFO, status)[_FLAGS_FIELD] & _DIRECT_IO)


def _open_device(number: int, mode: int) -> tuple[str, int]:
    """A device's node; where `/dev` is no devtmpfs, as in many containers, it has to be made."""
    path = f"/dev/loop{number}"
    try:
        return path, os.open(path, mode | os.O_CLOEXEC)
    except FileNotFoundError:
        _make_node(path, number)
    return path, os.open(path, mode | os.O_CLOEXEC)


def _make_node(path: str, number: int) -> None:
    try:
        os.mknod(path, stat.S_IFBLK | 0o660, os.makedev(_MAJOR, number))
    except FileExistsError:
        return  # another box was faster
