"""The filters, run by a small machine of the test's own: classic BPF on `struct seccomp_data`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from plimsoll.sandbox import seccomp, syscalls

if TYPE_CHECKING:
    from collections.abc import Callable

ALLOW, EPERM, ENOMEM, ZERO = 0x7FFF0000, 0x00050001, 0x0005000C, 0x00050000
MIB, GIB = 1 << 20, 1 << 30
LIMIT = 5 * GIB + 3 * MIB
ARCHES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MMAP, MREMAP, BRK = (
    {"x86_64": 9, "aarch64": 222},
    {"x86_64": 25, "aarch64": 216},
    {"x86_64": 12, "aarch64": 214},
)
BASE = {"x86_64": 0x555555554000, "aarch64": 0xAAAAAAAAA000}
READ, READ_WRITE, PRIVATE, SHARED, ANONYMOUS, NORESERVE = 1, 3, 2, 1, 0x20, 0x4000


def run(program: bytes, data: bytes) -> int:
    """What the kernel would answer: the steps that these filters use, and an error for every other."""
    steps = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator = index = place = 0
    kept: dict[int, int] = {}
    while True:
        code, so, not_so, operand = steps[place]
        place += 1
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif code == 0x02:
            kept[operand] = accumulator
        elif code in {0x07, 0x61}:
            index = accumulator if code == 0x07 else kept[operand]
        elif code in {0x15, 0x25, 0x35, 0x45, 0x3D}:
            tests = {
                0x15: accumulator == operand,
                0x25: accumulator > operand,
                0x35: accumulator >= operand,
                0x45: bool(accumulator & operand),
                0x3D: accumulator >= index,
            }
            place += so if tests[code] else not_so
        else:
            results = {
                0x54: accumulator & operand,
                0x64: accumulator << operand,
                0x74: accumulator >> operand,
                0x4C: accumulator | index,
                0x1C: accumulator - index,
            }
            accumulator = results[code] & 0xFFFFFFFF


@pytest.fixture(params=sorted(ARCHES))
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(seccomp, "_MACHINE", request.param)
    return str(request.param)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Filters that would have been added, and the personality that would have been taken."""
    programs: list[bytes] = []
    monkeypatch.setattr(syscalls, "add_seccomp_filter", programs.append)
    monkeypatch.setattr(syscalls, "personality", lambda persona: None)
    return programs


@pytest.fixture
def answer(machine: str, added: list[bytes]) -> Callable[..., int]:
    """The answer to one system call under `refuse_large_allocations(LIMIT)`."""
    seccomp.refuse_large_allocations(LIMIT)
    (program,) = added

    def answer(number: int, *arguments: int, arch: int = ARCHES[machine]) -> int:
        given = [*arguments, *(0,) * (6 - len(arguments))]
        return run(program, struct.pack("=IIQ6Q", number, arch, 0, *given))

    return answer


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (4096, ALLOW),
        (LIMIT, ALLOW),
        (LIMIT + 1, ENOMEM),
        (LIMIT - GIB + 4 * GIB, ENOMEM),
        (5 * GIB + 4 * MIB, ENOMEM),
        (6 * GIB, ENOMEM),
        (4 * GIB + 3 * GIB // 4, ALLOW),
        (1 << 62, ENOMEM),
    ],
)
def test_mappings_are_told_by_size(
    machine: str, answer: Callable[..., int], size: int, expected: int
) -> None:
    """Both halves of 64 bits count."""
    assert answer(MMAP[machine], 0, size, READ_WRITE, PRIVATE | ANONYMOUS) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (MIB, LIMIT + MIB, ALLOW),
        (MIB, LIMIT + 2 * MIB, ENOMEM),
        (4096, 1 << 50, ENOMEM),
        (LIMIT, LIMIT + 4 * GIB, ALLOW),
        (1 << 45, 1 << 44, ALLOW),
        (1 << 44, (1 << 44) + LIMIT + MIB, ENOMEM),
    ],
)
def test_of_a_mapping_that_is_changed_the_growth_counts(
    machine: str, answer: Callable[..., int], old: int, new: int, expected: int
) -> None:
    """As the kernel accounts it: what is there already is there, and shrinking asks for nothing."""
    assert answer(MREMAP[machine], 1 << 40, old, new) == expected


@pytest.mark.parametrize(
    ("persona", "expected"),
    [(0, ZERO), (0x0008, ZERO), (0x0040000, ALLOW), (0x0040008, ALLOW), (0xFFFFFFFF, ALLOW)],
)
def test_addresses_are_not_randomized_again(
    machine: str, answer: Callable[..., int], persona: int, expected: int
) -> None:
    """Success without effect: a heap at a random place would be refused whole."""
    assert answer({"x86_64": 135, "aarch64": 92}[machine], persona) == expected


@pytest.mark.parametrize(
    ("protection", "flags", "expected"),
    [
        (READ_WRITE, PRIVATE | ANONYMOUS, ENOMEM),
        (READ_WRITE, PRIVATE, ENOMEM),
        (READ_WRITE, SHARED | ANONYMOUS, ENOMEM),
        (READ_WRITE, SHARED, ALLOW),
        (READ_WRITE, SHARED | PRIVATE, ALLOW),
        (READ, PRIVATE | ANONYMOUS, ALLOW),
        (READ, SHARED | ANONYMOUS, ENOMEM),
        (0, PRIVATE | ANONYMOUS, ALLOW),
        (READ_WRITE, PRIVATE | ANONYMOUS | NORESERVE, ALLOW),
    ],
)
def test_what_a_kernel_does_not_account_is_granted(
    machine: str, answer: Callable[..., int], protection: int, flags: int, expected: int
) -> None:
    """Reservations, private read-only mappings and shared files (MAP_SHARED_VALIDATE too) cost no memory of their own."""
    assert answer(MMAP[machine], 0, 1 << 40, protection, flags) == expected


@pytest.mark.parametrize("where", ["high", "low"])
@pytest.mark.parametrize(
    ("bytes_up", "expected"),
    [(0, ALLOW), (LIMIT, ALLOW), (LIMIT + 1, ZERO), (1 << 44, ZERO)],
)
def test_heaps_are_told_by_where_they_would_end(
    machine: str, answer: Callable[..., int], where: str, bytes_up: int, expected: int
) -> None:
    """Of programs that may lie anywhere, and of those that may not: 0 is an address below any that was asked for."""
    base = BASE[machine] if where == "high" else 0
    assert answer(BRK[machine], base + bytes_up) == expected


def test_other_calls_and_other_architectures_are_left_alone(
    machine: str, answer: Callable[..., int]
) -> None:
    """32-bit calls have other numbers, and cannot ask for so much."""
    assert answer(MMAP[machine] + 1000, 0, 1 << 62, READ_WRITE, PRIVATE) == ALLOW
    assert answer(MMAP[machine], 0, 1 << 62, READ_WRITE, PRIVATE, arch=0x40000003) == ALLOW


def test_keyrings_are_refused_in_both_widths(machine: str, added: list[bytes]) -> None:
    """The three calls and nothing beside them; on x86-64 also with x32's own bit."""
    seccomp.refuse_keyrings()
    (program,) = added
    for arch, first, last in seccomp._KEYRING_CALLS[machine]:
        for bit in (0, 0x40000000):
            answers = [
                run(program, struct.pack("=IIQ6Q", number | bit, arch, 0, *(0,) * 6))
                for number in range(first - 1, last + 2)
            ]
            assert answers == [ALLOW, EPERM, EPERM, EPERM, ALLOW]


def test_heaps_begin_where_programs_end(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The filter sees addresses: they are made to say something first."""
    taken: list[object] = []
    monkeypatch.setattr(syscalls, "personality", taken.append)
    monkeypatch.setattr(syscalls, "add_seccomp_filter", lambda program: taken.append("filter"))
    seccomp.refuse_large_allocations(LIMIT)
    assert taken == [syscalls.ADDR_NO_RANDOMIZE, "filter"]
