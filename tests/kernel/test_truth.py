"""The split against programs that take known amounts of memory in known ways: each part within 1 MiB."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.sandbox.cgroup_host import this_host
from tests.kernel.charges import grown_mib
from tests.kernel.conftest import response

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Function, TmpBacking

MIB = 1 << 20
HEAD = """
import ctypes, mmap, os, signal, socket, subprocess
N = 20 << 20
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
libc = ctypes.CDLL(None)
kept = []
def handler(e, c):
  return program() if e else None
def program():
"""
MEMORY = {
    "touched": ("kept.append(bytearray(b'x') * N)", {"anon": 20}),
    "untouched": ("kept.append(mmap.mmap(-1, N, flags=PRIVATE))", {}),
    "given back": ("bytearray(b'x') * N", {}),
    "shared mapping": ("m = mmap.mmap(-1, N); m.write(b'x' * N); kept.append(m)", {"shmem": 20}),
    "memfd": ("m = os.memfd_create('m'); os.write(m, b'x' * N)", {"shmem": 20}),
    "System V": (
        "i = libc.shmget(0, ctypes.c_size_t(N), 0o1600); libc.shmat.restype = ctypes.c_void_p;"
        "ctypes.memset(libc.shmat(i, None, 0), 1, N)",
        {"shmem": 20},
    ),
    "mapped file": (
        "m = mmap.mmap(os.open('/var/task/data', os.O_RDONLY), 0, prot=mmap.PROT_READ);"
        "kept.append(m); return sum(m[i] for i in range(0, N, 4096))",
        {"file": 20},
    ),
    "read file": ("return len(open('/var/task/data', 'rb').read())", {"file": 20}),
    # a page and the page table it needs, in each 2 MiB of address space
    "page tables": (
        "m = mmap.mmap(-1, 8 << 30, flags=PRIVATE | 0x4000); m.madvise(mmap.MADV_NOHUGEPAGE);"
        "kept.append(m); [m.__setitem__(i << 21, 1) for i in range(4096)]",
        {"anon": 16, "kernel": 16},
    ),
}
FILES = {
    "written": ("open('/tmp/f', 'wb').write(b'x' * N)", {"tmp": 20}),
    "sparse": ("f = open('/tmp/f', 'wb'); f.seek(N); f.write(b'x')", {}),
    "after a hole": ("f = open('/tmp/f', 'wb'); f.seek(N); f.write(b'x' * N)", {"tmp": 20}),
    "hard link": ("open('/tmp/f', 'wb').write(b'x' * N); os.link('/tmp/f', '/tmp/g')", {"tmp": 20}),
    "deleted": ("open('/tmp/f', 'wb').write(b'x' * N); os.unlink('/tmp/f')", {}),
    "deleted but open": (
        "f = open('/tmp/f', 'wb', 0); f.write(b'x' * N); os.unlink('/tmp/f'); kept.append(f)",
        {"tmp": 20},
    ),
}


def as_expected(
    grown: dict[str, float], expected: dict[str, float], **slack: float
) -> dict[str, bool]:
    """Of each part whether it is within 1 MiB, or its own slack, of what it ought to be."""
    return {
        part: abs(size - expected.get(part, 0)) < slack.get(part, 1.0)
        for part, size in grown.items()
    }


@pytest.mark.parametrize(("program", "expected"), MEMORY.values(), ids=list(MEMORY))
async def test_known_amounts_are_told_within_one_mebibyte(
    fleet: Fleet, deploy: Callable[..., Function], program: str, expected: dict[str, float]
) -> None:
    """The part in question grows by what was taken, every other one by less than 1 MiB."""
    function = deploy(f"{HEAD}  {program}\n", memory_mib=256)
    (function.code_root / "data").write_bytes(b"x" * 20 * MIB)
    grown, _, _ = await grown_mib(fleet, function, {"go": True})
    assert all(as_expected(grown, expected).values()), grown


@pytest.mark.parametrize("backing", ["tmpfs", "disk"])
@pytest.mark.parametrize(("program", "expected"), FILES.values(), ids=list(FILES))
async def test_files_are_told_as_tmp_on_both_backings(
    fleet: Fleet,
    deploy: Callable[..., Function],
    program: str,
    expected: dict[str, float],
    backing: TmpBacking,
) -> None:
    """What a file holds in memory is `tmp`, once and for as long as somebody can read it; a hole holds nothing."""
    function = deploy(f"{HEAD}  {program}\n", memory_mib=256, tmp_backing=backing)
    grown, _, _ = await grown_mib(fleet, function, {"go": True})
    assert all(as_expected(grown, expected).values()), grown


def slab_bytes(cache: str) -> float:
    """What one object of a kernel cache takes, with its share of what the slab wastes."""
    for line in Path("/proc/slabinfo").read_text().splitlines():
        if line.startswith(f"{cache} "):
            _, _, _, _, per_slab, pages, *_ = line.split()
            return int(pages) * 4096 / int(per_slab)
    raise AssertionError(f"/proc/slabinfo has no {cache}")


@pytest.mark.parametrize("backing", ["tmpfs", "disk"])
async def test_ten_thousand_small_files(
    fleet: Fleet, deploy: Callable[..., Function], backing: TmpBacking
) -> None:
    """4 KiB each, and in the `kernel` part an inode and a name; on a disk a block's head and its inode's place too."""
    program = "[open(f'/tmp/{i}', 'wb').write(b'x' * 4096) for i in range(10000)]"
    function = deploy(f"{HEAD}  {program}\n", memory_mib=256, tmp_backing=backing, timeout_s=20)
    grown, _, completed = await grown_mib(fleet, function, {"go": True})
    kernel, file = slab_bytes("dentry"), 0
    if backing == "tmpfs":
        kernel += slab_bytes("shmem_inode_cache")
    else:
        kernel += slab_bytes("ext4_inode_cache") + 104  # struct buffer_head
        file = 256 + 24  # of the inode table and of the folder: cache, but of no file
    each = {"tmp": 4096.0, "kernel": kernel, "file": file}
    expected = {part: size * 10_000 / MIB for part, size in each.items()}
    assert all(as_expected(grown, expected).values()), (grown, expected)
    assert completed.report.tmp.files_total == 10_000


async def test_huge_pages_count_whole(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """One byte in each of eight huge pages is 16 MiB, as the process itself has it resident."""
    state = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not state.exists() or "[never]" in state.read_text():
        pytest.skip("this kernel has no transparent huge pages")
    program = (
        "m = mmap.mmap(-1, 18 << 20, flags=PRIVATE); m.madvise(mmap.MADV_HUGEPAGE); kept.append(m);"
        "at = ctypes.addressof(ctypes.c_char.from_buffer(m)); first = -at % (2 << 20);"
        "[m.__setitem__(first + (i << 21), 1) for i in range(8)];"
        "return [int(l.split()[1]) for l in open('/proc/self/smaps') if l.startswith('AnonHuge')]"
    )
    grown, _, completed = await grown_mib(
        fleet, deploy(f"{HEAD}  {program}\n", memory_mib=256), {"go": True}
    )
    if sum(response(completed)) != 16 << 10:
        pytest.skip("this host's memory is too fragmented for eight huge pages")
    assert all(as_expected(grown, {"anon": 16}).values()), grown


async def test_anon_is_told_by_process(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """What children hold is in `anon`, and each is named with its own, most first."""
    program = (
        "r, w = os.pipe()\n"
        "  for n in (10, 20):\n"
        "    if os.fork() == 0:\n"
        "      x = bytearray(b'x') * (n << 20); os.write(w, b'k'); signal.pause()\n"
        "    os.read(r, 1)\n"
    )
    function = deploy(f"{HEAD}  {program}\n", memory_mib=256)
    grown, _, completed = await grown_mib(fleet, function, {"go": True})
    # a fork copies pages of the interpreter
    assert all(as_expected(grown, {"anon": 30}, anon=4).values()), grown
    twenty, ten, runtime = completed.report.processes
    assert abs(twenty.anon_bytes - runtime.anon_bytes - 20 * MIB) < MIB
    assert abs(ten.anon_bytes - runtime.anon_bytes - 10 * MIB) < MIB
    assert "python" in twenty.command


SOCKETS = """
  sent = 0
  while sent < 8 << 20:
    a, b = {pair}
    a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    a.setblocking(False)
    kept.append((a, b))
    try:
      while sent < 8 << 20: sent += a.send(b'x' * 32768)
    except BlockingIOError:
      pass
  return sent
"""


async def test_unread_data_of_unix_sockets_is_in_the_kernels_part(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """8 MiB that nobody reads: the kernel charges the buffers of unix sockets like its other memory.

    It does since Linux 4.8; in version 2 it tells of them apart since 5.18 only (`kernel` of memory.stat).
    """
    function = deploy(HEAD + SOCKETS.format(pair="socket.socketpair()"), memory_mib=256)
    grown, _, completed = await grown_mib(fleet, function, {"go": True})
    expected = {"kernel": response(completed) / MIB}
    assert all(as_expected(grown, expected).values()), grown


async def test_unread_data_of_tcp_is_the_environments_where_the_kernel_says_so(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """Version 2 charges TCP's buffers (`sock`), with room to spare; version 1 only where TCP has a limit of its own.

    That limit is memory.kmem.tcp.limit_in_bytes, which no environment has, since AWS has none.
    """
    pair = "socket.create_connection(listener.getsockname()), listener.accept()[0]"
    listen = "  listener = socket.create_server(('127.0.0.1', 0))"
    function = deploy(HEAD + listen + SOCKETS.format(pair=pair), memory_mib=256)
    grown, _, completed = await grown_mib(fleet, function, {"go": True})
    sent = response(completed) / MIB
    kernel = grown.pop("kernel")
    assert all(as_expected(grown, {}).values()), grown
    assert kernel < 1 if this_host().version == 1 else sent < kernel < 3 * sent
