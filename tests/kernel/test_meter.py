"""The figures of one invocation and of its environment: peaks, split and files (`test_truth` has the amounts)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plimsoll.memory import PLATFORM_BYTES
from tests.kernel.conftest import invoke, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Function, TmpBacking

MIB = 1 << 20
CODE = """
import os
kept = []
def handler(e, c):
    n = 20 << 20
    if e["kind"] == "tmp":
        open("/tmp/f", "wb").write(b"x" * n)
    elif e["kind"] == "deleted":
        f = open("/tmp/gone", "wb", buffering=0); f.write(b"x" * n); os.unlink("/tmp/gone"); kept.append(f)
    elif e["kind"] == "spike":
        bytes(bytearray(b"x") * n)
"""


@pytest.mark.parametrize("backing", ["tmpfs", "disk"])
async def test_the_parts_add_up_to_the_figure(
    fleet: Fleet, deploy: Callable[..., Function], backing: TmpBacking
) -> None:
    """peak = anon + tmp + shmem + file + kernel + platform, to the byte, and MB is its floor."""
    report = (await invoke(fleet, deploy(CODE, tmp_backing=backing), {"kind": "tmp"})).report
    assert report.memory.total_bytes == report.peak_bytes
    assert report.memory.platform_bytes == PLATFORM_BYTES
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


@pytest.mark.parametrize("backing", ["tmpfs", "disk"])
async def test_a_deleted_file_that_is_still_open_is_named_with_its_holder(
    fleet: Fleet, deploy: Callable[..., Function], backing: TmpBacking
) -> None:
    """Unlinked files still count; the report says which, and who holds them."""
    function = deploy(CODE, tmp_backing=backing)
    report = (await invoke(fleet, function, {"kind": "deleted"})).report
    (file,) = report.tmp.files
    assert (file.path, file.bytes, file.deleted) == ("/tmp/gone", 20 * MIB, True)
    assert file.command is not None
    assert "python" in file.command


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
