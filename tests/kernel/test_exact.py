"""The `exact` accounting: each environment has a page cache of its own, and pays for all of it, once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kernel.charges import drop_host_caches, grown_mib
from tests.kernel.conftest import invoke, plimsoll, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Function

MIB = 1 << 20
HELLO = str(Path(__file__).parents[2] / "examples/hello/app.py")
READER = """
import os, time
kept, room = [], bytearray(1 << 20)
def handler(e, c):
  if "read" in e:
    with open("/var/task/data", "rb", buffering=0) as data:
      while data.readinto(room): pass
  if "heap" in e:
    kept.append(bytearray(b"x") * (e["heap"] << 20))
  time.sleep(e.get("sleep", 0))
  os._exit(e["exit"]) if "exit" in e else 1 / ("fail" not in e)
"""


@pytest.fixture
def reader(deploy: Callable[..., Function]) -> Function:
    """A function with a file of 100 MiB beside its code."""
    function = deploy(READER, memory_mib=256, timeout_s=10)
    with open(function.code_root / "data", "wb") as data:
        for number in range(100):
            data.write(b"%04d" % number * (MIB // 4))
    return function


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "dropped"])
async def test_a_file_that_is_read_is_in_the_figure_once(
    fleet: Fleet, reader: Function, cached: bool
) -> None:
    """100 MiB are 100 (within 2) in `file`, whatever the host has cached, and in what the kernel has charged."""
    await invoke(fleet, reader, {"read": True})
    if not cached:
        drop_host_caches()
    grown, charged, _ = await grown_mib(fleet, reader, {"read": True})
    assert abs(charged - 100) < 2
    assert abs(grown.pop("file") - 100) < 2
    assert max(map(abs, grown.values())) < 1


async def test_every_environment_pays_for_what_it_reads(fleet: Fleet, reader: Function) -> None:
    """A neighbour that has read the same file before makes it no cheaper."""
    for name in ("first", "second"):
        grown, _, _ = await grown_mib(fleet, replace(reader, name=name), {"read": True})
        assert abs(grown["file"] - 100) < 2


async def test_the_page_cache_gives_way_to_the_heap(fleet: Fleet, reader: Function) -> None:
    """128 MiB that are full of a file's pages have room for 60 MiB of heap: the file is read anew, nobody dies."""
    small = replace(reader, memory_mib=128)
    full = (await invoke(fleet, small, {"read": True})).report
    assert full.max_memory_used_mib in {127, 128}
    after = await invoke(fleet, small, {"heap": 60})
    assert after.report.status == "success"
    assert after.report.at_end.anon_bytes > 60 * MIB
    assert after.report.at_end.file_bytes < full.at_end.file_bytes - 40 * MIB
    again = (await invoke(fleet, small, {"read": True})).report
    assert (again.status, again.invocation) == ("success", 3)


async def test_every_report_names_its_accounting(either_fleet: Fleet, reader: Function) -> None:
    """Success, error, exit, timeout and out of memory alike."""
    function = replace(reader, memory_mib=128, timeout_s=5)
    expected = await invoke(either_fleet, function)
    for event, error_type in (
        ({}, None),
        ({"fail": 1}, "ZeroDivisionError"),
        ({"exit": 1}, "Runtime.ExitError"),
        ({"sleep": 9}, "Sandbox.Timedout"),
        ({"heap": 200}, "Runtime.OutOfMemory"),
    ):
        report = (await invoke(either_fleet, function, event)).report
        assert (report.error_type, report.accounting) == (error_type, expected.report.accounting)


@pytest.mark.parametrize(("backing", "accounting"), [("tmpfs", "shared"), ("disk", "exact")])
async def test_backing_and_accounting_can_be_chosen_and_are_named(
    backing: str, accounting: str
) -> None:
    """Every invocation's object says which `/tmp` and whose page cache its figures are of."""
    status, out, err = await plimsoll(
        *("invoke", HELLO, "--repeat", "2", "--format", "json"),
        *("--tmp-backing", backing, "--accounting", accounting),
    )
    *invocations, _ = [json.loads(line) for line in out.splitlines()]
    assert (status, "accounting" in err) == (0, False), err
    assert [i["tmp"]["backing"] for i in invocations] == [backing] * 2
    assert [i["memory"]["accounting"] for i in invocations] == [accounting] * 2


async def test_the_code_is_what_it_was_when_the_environment_began(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """As on AWS: what is changed in the folder is seen by the next environment, and no sooner."""
    code = "def handler(e, c): return [open('/var/task/data').read(), {}]\n"
    function = deploy(code.format(1))
    data = function.code_root / "data"
    data.write_text("old")
    assert response(await invoke(fleet, function)) == ["old", 1]
    data.write_text("new")
    assert response(await invoke(fleet, function)) == ["old", 1]
    await fleet.recycle(function)
    assert response(await invoke(fleet, function)) == ["new", 1]
