"""The system calls that Python 3.11 has no name for, through one handle on the C library.

Rule: no policy, no retries; each function is one call and raises `OSError` with the call's name.
`PyDLL`, not `CDLL`: the interpreter lock stays held over the call, so that a raw `clone` comes back in the child
with a sane interpreter. That is correct only in a single-threaded process, which the spawner and a box's init are.
"""

from __future__ import annotations

import ctypes
import os
import struct

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_INTO_CGROUP = 0x200000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x1, 0x2, 0x4, 0x8
MS_REMOUNT, MS_BIND, MS_MOVE = 0x20, 0x1000, 0x2000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
MNT_DETACH = 2

MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 0x1, 0x2, 0x4
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38

PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
ADDR_NO_RANDOMIZE = 0x0040000

_SIGCHLD = 17
_SIG_BLOCK, _SIG_SETMASK = 0, 2
_SFD_CLOEXEC = 0o2000000
_MACHINE = os.uname().machine
_NUMBERS: dict[str, dict[str, int]] = {
    # arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of the kernel
    "x86_64": {
        "pivot_root": 155,
        "unshare": 272,
        "clone3": 435,
        "close_range": 436,
        "mount_setattr": 442,
        "keyctl": 250,
    },
    "aarch64": {
        "pivot_root": 41,
        "unshare": 97,
        "clone3": 435,
        "close_range": 436,
        "mount_setattr": 442,
        "keyctl": 219,
    },
}


def _number(name: str) -> int:
    try:
        return _NUMBERS[_MACHINE][name]
    except KeyError:
        raise OSError(38, f"{name}: system call numbers of {_MACHINE} are not known") from None


def _check(result: int, call: str) -> int:
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{call}: {os.strerror(errno)}")
    return int(result)


def clone(flags: int = 0, *, into_cgroup: int | None = None) -> int:
    """`clone3(2)` without a new stack, like fork: the child's pid in the parent, 0 in the child.

    `into_cgroup` is a descriptor of a cgroup v2 folder in which the child starts its life.
    """
    if into_cgroup is not None:
        flags |= CLONE_INTO_CGROUP
    # struct clone_args: flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup
    args = struct.pack("=11Q", flags, 0, 0, 0, _SIGCHLD, 0, 0, 0, 0, 0, into_cgroup or 0)
    buffer = ctypes.create_string_buffer(args, len(args))
    return _check(_libc.syscall(_number("clone3"), buffer, len(args)), "clone3")


def unshare(flags: int) -> None:
    """`unshare(2)`."""
    _check(_libc.syscall(_number("unshare"), flags), "unshare")


def mount(
    source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None
) -> None:
    """`mount(2)`; the error names the target."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() if data else None,
    )
    _check(result, f"mount {target}")


def set_mount_attributes(target: str, attributes: int, *, recursive: bool = False) -> None:
    """`mount_setattr(2)` (Linux 5.12): sets MOUNT_ATTR_* on a mount, or on the whole tree below it."""
    args = struct.pack("=4Q", attributes, 0, 0, 0)
    buffer = ctypes.create_string_buffer(args, len(args))
    flags = _AT_RECURSIVE if recursive else 0
    result = _libc.syscall(
        _number("mount_setattr"), _AT_FDCWD, os.fsencode(target), flags, buffer, len(args)
    )
    _check(result, f"mount_setattr {target}")


def bind_read_only(source: str, target: str) -> None:
    """Shows `source` at `target`, read-only, without set-user-id and devices; submounts are left out."""
    mount(source, target, None, MS_BIND)
    set_mount_attributes(target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)


def umount_lazily(target: str) -> None:
    """`umount2(2)` with MNT_DETACH."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def sync_file_system(fd: int) -> None:
    """`syncfs(2)`: writes back all of a file system; since Linux 5.8 it raises `OSError` if that failed."""
    _check(_libc.syncfs(fd), "syncfs")


def pivot_root_here() -> None:
    """Makes the current folder the root and lets the old root go (pivot_root(2), "new_root and put_old same")."""
    _check(_libc.syscall(_number("pivot_root"), b".", b"."), "pivot_root")
    umount_lazily(".")


def sethostname(name: str) -> None:
    """`sethostname(2)`."""
    encoded = name.encode()
    _check(_libc.sethostname(encoded, len(encoded)), "sethostname")


def prctl(option: int, value: int = 0) -> None:
    """`prctl(2)` with one argument."""
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def drop_capability_bounds() -> None:
    """Empties the bounding set, so that no program can gain a capability ever again."""
    for capability in range(64):
        if _libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) != 0:
            return  # EINVAL: one past the kernel's last capability


def join_new_session_keyring() -> None:
    """Leaves the caller's keys behind (`keyctl(2)`, KEYCTL_JOIN_SESSION_KEYRING); nothing to leave without keyrings."""
    _libc.syscall(_number("keyctl"), 1, None)


def add_seccomp_filter(program: bytes) -> None:
    """Adds a filter, given as `struct sock_filter[]`, for this process and its children (`prctl(2)`, `seccomp(2)`)."""
    steps = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))
    fprog = ctypes.create_string_buffer(header, len(header))
    result = _libc.prctl(PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, fprog, 0, 0)
    _check(result, "prctl seccomp")


def personality(persona: int) -> None:
    """`personality(2)`."""
    _check(_libc.personality(ctypes.c_ulong(persona)), "personality")


def block_sigchld() -> int:
    """Blocks SIGCHLD and gives a descriptor that turns readable when a child has ended (`signalfd(2)`).

    With its default action: ignored, as Plimsoll's own parent may have it, it would reap children unseen.
    """
    _libc.signal(_SIGCHLD, None)
    mask = ctypes.create_string_buffer(128)
    _libc.sigemptyset(mask)
    _libc.sigaddset(mask, _SIGCHLD)
    _check(_libc.sigprocmask(_SIG_BLOCK, mask, None), "sigprocmask")
    return _check(_libc.signalfd(-1, mask, _SFD_CLOEXEC), "signalfd")


def reset_signals() -> None:
    """Empties the signal mask and ignores no signal any more: both would be inherited over exec.

    Python itself ignores SIGPIPE and SIGXFSZ, and whoever started Plimsoll may have ignored others (`nohup`).
    """
    for number in range(1, 65):
        _libc.signal(
            number, None
        )  # refused for SIGKILL and SIGSTOP, and for two that the C library keeps
    mask = ctypes.create_string_buffer(128)
    _libc.sigemptyset(mask)
    _check(_libc.sigprocmask(_SIG_SETMASK, mask, None), "sigprocmask")


def close_range(first: int, last: int) -> None:
    """Closes the descriptors from `first` to `last`, both included (`close_range(2)`, Linux 5.9)."""
    _check(_libc.syscall(_number("close_range"), first, last, 0), "close_range")
