"""Figures of memory: hello-world against AWS's, and what a hundred environments take of the host."""

from __future__ import annotations

import shutil
import statistics
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bench.functions import hello
from bench.turns import Result
from plimsoll.fleet import open_fleet
from plimsoll.memory import HELLO_WORLD_MIB, PLATFORM_BYTES
from plimsoll.model import Function, Invocation

if TYPE_CHECKING:
    from plimsoll.fleet import Fleet
    from plimsoll.model import Report
    from plimsoll.runtimes import RuntimeStore

_RUNS = 10
_ENVIRONMENTS = 100
_EXAMPLES = Path(__file__).parent.parent / "examples"


async def calibration(store: RuntimeStore, folder: Path) -> list[Result]:
    """Max Memory Used of hello-world, of every runtime that is installed, against what AWS reports."""
    known = {runtime.name: _EXAMPLES / "hello" for runtime in store.installed()}
    if shutil.which("cc"):
        known["provided.al2023"] = folder
        source = _EXAMPLES / "hello-static/hello.c"
        command = ["cc", "-static", "-O2", "-o", str(folder / "bootstrap"), str(source)]
        subprocess.run(command, check=True)  # noqa: ASYNC221  nothing else is to run
    async with open_fleet(store, "exact") as fleet:
        return [
            await _calibration(fleet, name, known[name], aws_mib)
            for name, aws_mib in HELLO_WORLD_MIB.items()
            if name in known
        ]


async def _calibration(fleet: Fleet, name: str, code: Path, aws_mib: float) -> Result:
    figures = []
    for run in range(_RUNS):
        if run >= _RUNS // 2:
            drop_caches()
        function = _hello_world(name, run, code)
        figures.append((await _report(fleet, function)).peak_bytes / 2**20)
        await fleet.recycle(function)
    spread = f"{_RUNS} runs, {min(figures):.1f} to {max(figures):.1f}"
    mine = statistics.median(figures)
    title = f"hello-world, {name}"
    return Result(title, mine, "MB", 0.10, "AWS", aws_mib, about=True, note=spread)


async def density(store: RuntimeStore, folder: Path) -> list[Result]:
    """What the host has less of with a hundred environments alive, against the sum of their figures.

    Without the platform's part, which stands for AWS's machinery: nothing on this host fills it.
    """
    async with open_fleet(store, "exact") as fleet:
        function = hello(folder, "nodejs20.x")
        await _report(fleet, function)
        await fleet.recycle(function)
        drop_caches()
        before = _used_bytes()
        figures = [
            (await _report(fleet, _hello_world("nodejs20.x", number))).at_end.total_bytes
            for number in range(_ENVIRONMENTS)
        ]
        taken = _used_bytes() - before
    told = sum(figures) - _ENVIRONMENTS * PLATFORM_BYTES
    name = f"{_ENVIRONMENTS} environments, nodejs20.x: memory of the host"
    return [Result(name, taken / 2**20, "MB", 0.10, "their figures", told / 2**20, about=True)]


def _hello_world(runtime: str, number: int, code: Path = _EXAMPLES / "hello") -> Function:
    handler = "app.lambda_handler" if runtime.startswith("python") else "index.handler"
    return Function(f"hello-{number}", runtime, handler, code, timeout_s=30)


async def _report(fleet: Fleet, function: Function) -> Report:
    completed = await fleet.invoke(function, Invocation(), files=True)
    assert completed.report.status == "success", completed.outcome.payload
    return completed.report


def drop_caches() -> None:
    """What the host has cached, and may, is gone: the next reader waits for the disk."""
    Path("/proc/sys/vm/drop_caches").write_text("3")


def _used_bytes() -> int:
    """All that is not free, page cache included: hidden copies would be there."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return (int(fields["MemTotal"].split()[0]) - int(fields["MemFree"].split()[0])) << 10
