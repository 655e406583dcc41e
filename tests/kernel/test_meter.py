"""The split against programs that use known amounts of memory in known ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.conftest import invoke, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Function

MIB = 1 << 20
CODE = """
import mmap, os
kept = []
def handler(e, c):
    n = 20 << 20
    kind = e["kind"]
    if kind == "anon":
        kept.append(bytearray(b"x") * n)
    elif kind == "untouched":
        kept.append(mmap.mmap(-1, n, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    elif kind == "memfd":
        fd = os.memfd_create("m"); kept.append(fd); os.write(fd, b"x" * n)
    elif kind == "shared":
        m = mmap.mmap(-1, n); m.write(b"x" * n); kept.append(m)
    elif kind == "tmp":
        open("/tmp/f", "wb").write(b"x" * n)
    elif kind == "sparse":
        f = open("/tmp/sparse", "wb"); f.seek(n); f.write(b"x")
    elif kind == "hardlink":
        open("/tmp/f", "wb").write(b"x" * n); os.link("/tmp/f", "/tmp/g")
    elif kind == "deleted":
        f = open("/tmp/gone", "wb", buffering=0); f.write(b"x" * n); os.unlink("/tmp/gone"); kept.append(f)
    elif kind == "child":
        r, w = os.pipe()
        if os.fork() == 0:
            x = bytearray(b"x") * n; os.write(w, b"k")
            import signal; signal.pause()
        os.read(r, 1)
    elif kind == "spike":
        bytes(bytearray(b"x") * n)
"""


@pytest.mark.parametrize(
    ("kind", "part", "expected_mib"),
    [
        ("anon", "anon", 20),
        ("untouched", "anon", 0),
        ("memfd", "shmem", 20),
        ("shared", "shmem", 20),
        ("tmp", "tmp", 20),
        ("sparse", "tmp", 0),
        ("hardlink", "tmp", 20),
        ("deleted", "tmp", 20),
        ("child", "anon", 20),
    ],
)
async def test_known_amounts_are_told_within_one_mebibyte(
    fleet: Fleet, deploy: Callable[..., Function], kind: str, part: str, expected_mib: int
) -> None:
    """The part in question grows by what was used, the others by less than 1 MiB."""
    function = deploy(CODE, memory_mib=256)
    before = (await invoke(fleet, function, {"kind": "nothing"}, times=2)).report.at_end
    after = (await invoke(fleet, function, {"kind": kind})).report.at_end
    grown = {name: (after.parts()[name] - size) / MIB for name, size in before.parts().items()}
    slack = 2.5 if kind == "child" else 1.0  # a fork copies pages of the interpreter
    expected = {name: expected_mib if name == part else 0 for name in grown}
    assert {name: abs(grown[name] - expected[name]) < slack for name in grown} == dict.fromkeys(
        grown, True
    ), grown


async def test_the_parts_add_up_to_the_figure(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """peak = anon + tmp + shmem + file + kernel + platform, to the byte, and MB is its floor."""
    report = (await invoke(fleet, deploy(CODE), {"kind": "tmp"})).report
    assert report.memory.total_bytes == report.peak_bytes
    assert report.max_memory_used_mib == report.peak_bytes >> 20


async def test_the_environments_peak_stays_and_the_invocations_own_does_not(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """A spike raises Max Memory Used for good; the next invocation's own peak is low again."""
    function = deploy(CODE, memory_mib=256)
    await invoke(fleet, function, {"kind": "nothing"})
    spike = (await invoke(fleet, function, {"kind": "spike"})).report
    calm = (await invoke(fleet, function, {"kind": "nothing"})).report
    assert calm.peak_bytes == spike.peak_bytes
    assert spike.invocation_peak_bytes - calm.invocation_peak_bytes > 19 * MIB
    assert calm.source == "kernel"


async def test_a_reset_restarts_the_high_water_mark(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """After a timeout the figure begins anew, with /tmp still in it."""
    code = "import time\ndef handler(e, c):\n  x = bytearray(b'x') * (50 << 20) if e.get('s') else 0\n  time.sleep(e.get('s', 0))\n"
    function = deploy(code, timeout_s=1)
    high = (await invoke(fleet, function, {"s": 9})).report
    after = (await invoke(fleet, function)).report
    assert high.peak_bytes - after.peak_bytes > 45 * MIB


async def test_a_deleted_file_that_is_still_open_is_named_with_its_holder(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """Unlinked files still count; the report says which, and who holds them."""
    report = (await invoke(fleet, deploy(CODE), {"kind": "deleted"})).report
    (file,) = report.tmp.files
    assert (file.path, file.bytes, file.deleted) == ("/tmp/gone", 20 * MIB, True)
    assert file.command is not None
    assert "python" in file.command


async def test_anon_is_told_by_process(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """The child that holds 20 MiB is named with them."""
    report = (await invoke(fleet, deploy(CODE), {"kind": "child"})).report
    assert len(report.processes) == 2
    assert report.processes[0].anon_bytes > 19 * MIB


async def test_a_peak_in_the_middle_is_the_kernels_not_a_samples(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """60 MiB that live for a moment are in the figure to 1 MiB, however short the moment."""
    code = "def handler(e, c):\n  for i in range(e.get('n', 0)): bytes(bytearray(b'x') * (30 << 20))\n  return 1\n"
    function = deploy(code)
    before = (await invoke(fleet, function, times=2)).report
    after = (await invoke(fleet, function, {"n": 3})).report
    assert response(await invoke(fleet, function)) == 1
    assert 59 * MIB < after.invocation_peak_bytes - before.invocation_peak_bytes < 62 * MIB
