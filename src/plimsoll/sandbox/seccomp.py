"""System calls that a box's processes do not get: two filters for the kernel (seccomp(2), classic BPF).

Rule: a filter answers as another machine's kernel would, never with a kill. Needs no-new-privileges. Loaded by a box's
process 1: see there what it may import.
"""

from __future__ import annotations

import os
import struct

from plimsoll.sandbox import syscalls

TYPE_CHECKING = False  # see box_init
if TYPE_CHECKING:
    from collections.abc import Sequence

    Step = tuple[int, str, str, int]
    """Code, where to go if so, where to go if not ("" is on to the next), operand."""

# include/uapi/linux/bpf_common.h; what a filter returns: include/uapi/linux/seccomp.h
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_GREATER, _IF_NOT_LESS, _IF_ANY_BIT = 0x15, 0x25, 0x35, 0x45
_SHIFT_LEFT, _SHIFT_RIGHT, _OR_X, _LESS_X, _TO_X = 0x64, 0x74, 0x4C, 0x1C, 0x07
_KEEP, _KEPT_TO_X, _IF_NOT_LESS_THAN_X = 0x02, 0x61, 0x3D
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOMEM = 1, 12
_NUMBER, _ARCH = 0, 4
"""Offsets in `struct seccomp_data`."""
_PROT_WRITE = 0x2
_MAP_TYPE, _MAP_SHARED, _MAP_PRIVATE, _MAP_ANONYMOUS, _MAP_NORESERVE = 0xF, 0x1, 0x2, 0x20, 0x4000
_MACHINE = os.uname().machine
_KEYRING_CALLS: dict[str, tuple[tuple[int, int, int], ...]] = {
    # AUDIT_ARCH_* (include/uapi/linux/audit.h), add_key to keyctl: of the 64-bit and of the 32-bit calls
    "x86_64": ((0xC000003E, 248, 250), (0x40000003, 286, 288)),
    "aarch64": ((0xC00000B7, 217, 219), (0x40000028, 309, 311)),
}
_MEMORY_CALLS: dict[str, tuple[int, int, int, int, int, int]] = {
    # AUDIT_ARCH_*, mmap, mremap, brk, personality; where the kernel loads position-independent programs
    # (ELF_ET_DYN_BASE)
    "x86_64": (0xC000003E, 9, 25, 12, 135, 0x555555554000),
    "aarch64": (0xC00000B7, 222, 216, 214, 92, 0xAAAAAAAAA000),
}
_ANY_PERSONA = 0xFFFFFFFF
"""personality(2): a question, not a change."""


def refuse_keyrings() -> None:
    """From here on this process and its children get EPERM from the kernel's keyrings.

    They are kept by user id, not by namespace: two boxes would share one, and with the user of that id on the host.
    Decided by number only, which the kernel caches: it costs other calls nothing.
    """
    program: list[Step | str] = []
    for arch, first, last in _KEYRING_CALLS[_MACHINE]:
        program += [
            (_LOAD, "", "", _ARCH),
            (_IF_EQUAL, "", f"not {arch}", arch),
            (_LOAD, "", "", _NUMBER),
            (_AND, "", "", 0x3FFFFFFF),  # x32 calls carry a bit of their own
            (_IF_NOT_LESS, "", "allow", first),
            (_IF_GREATER, "allow", "refuse", last),
            f"not {arch}",
        ]
    syscalls.add_seccomp_filter(_assemble(program, _ERRNO | _EPERM))


def refuse_large_allocations(limit_bytes: int) -> None:
    """From here on no single step to more memory than this succeeds, here and in children.

    It is what the kernel itself says in a machine whose whole memory is smaller than that (vm.overcommit_memory 0:
    `__vm_enough_memory` in mm/util.c refuses "obvious overcommits", and does not count private read-only, MAP_NORESERVE
    and shared file mappings). mmap and mremap get ENOMEM; of mremap the growth counts, in MiB, of whatever is mapped
    there, which a filter cannot see.

    For brk, to which the C library turns when mmap refuses, the answer is 0, less than was asked for: that call has no
    error number. It is told by the address, so the caller is also made to give up the randomization of addresses
    (personality(2)), for good: heaps then begin where programs end. A program that is itself larger than the limit gets
    no heap by brk, and the C library takes mmap instead.
    """
    arch, mmap, mremap, brk, personality, base = _MEMORY_CALLS[_MACHINE]
    program: list[Step | str] = [
        (_LOAD, "", "", _ARCH),
        (_IF_EQUAL, "", "allow", arch),  # a 32-bit call cannot ask for so much
        (_LOAD, "", "", _NUMBER),
        (_IF_EQUAL, "mmap", "", mmap),
        (_IF_EQUAL, "mremap", "", mremap),
        (_IF_EQUAL, "persona", "", personality),
        (_IF_EQUAL, "", "allow", brk),
        *_if_greater(0, base - 1, "high heap", "low heap"),
        "low heap",  # of a program that is loaded where it says
        *_if_greater(0, limit_bytes, "no heap", "allow"),
        "high heap",
        *_if_greater(0, base + limit_bytes, "no heap", "allow"),
        "persona",  # one that would randomize again is taken, and nothing happens
        (_LOAD, "", "", _low_half(0)),
        (_IF_EQUAL, "allow", "", _ANY_PERSONA),
        (_IF_ANY_BIT, "allow", "no heap", syscalls.ADDR_NO_RANDOMIZE),
        "no heap",
        (_RETURN, "", "", _ERRNO),
        "mmap",
        (_LOAD, "", "", _low_half(3)),
        (_IF_ANY_BIT, "allow", "", _MAP_NORESERVE),
        (_AND, "", "", _MAP_TYPE | _MAP_ANONYMOUS),
        (
            _IF_EQUAL,
            "size",
            "",
            _MAP_SHARED | _MAP_ANONYMOUS,
        ),  # accounted whole, whatever its protection
        (_AND, "", "", _MAP_TYPE),
        (_IF_EQUAL, "", "allow", _MAP_PRIVATE),
        (_LOAD, "", "", _low_half(2)),
        (_IF_ANY_BIT, "", "allow", _PROT_WRITE),
        "size",
        *_if_greater(1, limit_bytes, "refuse", "allow"),
        "mremap",
        *_mebibytes(1),
        (_KEEP, "", "", 0),
        *_mebibytes(2),
        (_KEPT_TO_X, "", "", 0),
        (_IF_NOT_LESS_THAN_X, "", "allow", 0),
        (_LESS_X, "", "", 0),
        (_IF_GREATER, "refuse", "allow", limit_bytes >> 20),
    ]
    syscalls.personality(syscalls.ADDR_NO_RANDOMIZE)
    syscalls.add_seccomp_filter(_assemble(program, _ERRNO | _ENOMEM))


def _if_greater(argument: int, limit: int, so: str, not_so: str) -> list[Step]:
    """Compares a 64-bit argument; the halves of it are all that the machine can load."""
    high, low = limit >> 32, limit & 0xFFFFFFFF
    return [
        (_LOAD, "", "", _low_half(argument) + 4),
        (_IF_GREATER, so, "", high),
        (_IF_EQUAL, "", not_so, high),
        (_LOAD, "", "", _low_half(argument)),
        (_IF_GREATER, so, not_so, low),
    ]


def _mebibytes(argument: int) -> list[Step]:
    """A 64-bit size in MiB, which fits into the machine's 32 bits."""
    return [
        (_LOAD, "", "", _low_half(argument) + 4),
        (_SHIFT_LEFT, "", "", 12),
        (_TO_X, "", "", 0),
        (_LOAD, "", "", _low_half(argument)),
        (_SHIFT_RIGHT, "", "", 20),
        (_OR_X, "", "", 0),
    ]


def _low_half(argument: int) -> int:
    """Its offset in `struct seccomp_data`, on a little-endian machine."""
    return 16 + 8 * argument


def _assemble(program: Sequence[Step | str], refusal: int) -> bytes:
    """`struct sock_filter[]` of steps between labels; ends with "allow", and "refuse" with its answer."""
    whole = [*program, "allow", (_RETURN, "", "", _ALLOW), "refuse", (_RETURN, "", "", refusal)]
    places: dict[str, int] = {}
    steps: list[Step] = []
    for item in whole:
        if isinstance(item, str):
            places[item] = len(steps)
        else:
            steps.append(item)
    packed = b""
    for place, (code, so, not_so, operand) in enumerate(steps):
        skips = [places[label] - place - 1 if label else 0 for label in (so, not_so)]
        packed += struct.pack("=HBBI", code, *skips, operand)
    return packed
