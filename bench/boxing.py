"""The box alone, joining its cgroup, writing to its /tmp, and how soon an over-limit function is answered."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import time
from typing import TYPE_CHECKING

from bench.functions import grower, writer
from bench.peers import bubblewrap
from bench.turns import Result, take_turns
from plimsoll.fleet import open_fleet
from plimsoll.model import Invocation
from plimsoll.sandbox import syscalls
from plimsoll.sandbox.box import BoxSpec, Spawner
from plimsoll.sandbox.cgroup_host import this_host
from plimsoll.sandbox.run_folder import run_folder
from plimsoll.sandbox.stock import Stock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plimsoll.runtimes import RuntimeStore

_PAUSE_S = 0.05


async def box(store: RuntimeStore, folder: Path) -> list[Result]:
    """From nothing to the end of `true` in a box, cgroup included, against bubblewrap's, which has no cgroup."""
    cgroups = this_host()
    command = [*bubblewrap(), "/bin/true"]
    with run_folder(cgroups.remove_run) as run:
        async with Spawner(run / "root") as spawner:
            stock = Stock(spawner, cgroups, run.name)

            async def ours() -> float:
                await asyncio.sleep(_PAUSE_S)
                started = time.perf_counter()
                made, cgroup = stock.create(
                    BoxSpec(tmp_bytes=512 << 20, tmp_inodes=1 << 16), 128 << 20
                )
                process = made.start(["/bin/true"], {}, "/", [])
                end = await process.ended
                taken = time.perf_counter() - started
                assert end.wait_status == 0
                assert end.start_errno == 0
                await made.close()
                cgroup.remove()
                return taken * 1e3

            async def theirs() -> float:
                await asyncio.sleep(_PAUSE_S)
                started = time.perf_counter()
                subprocess.run(command, check=True, env={})  # noqa: ASYNC221  nothing else is to run
                return (time.perf_counter() - started) * 1e3

            mine, others = await take_turns(ours, theirs, 40)
            await stock.close()
    return [Result("box, to the end of `true`", mine, "ms", 0.5, "bubblewrap", others)]


async def join(store: RuntimeStore, folder: Path) -> list[Result]:
    """Joining the cgroup as a box's process does it, with pauses between joins: a loop without them hides the wait."""
    cgroups = this_host()
    with run_folder(cgroups.remove_run) as run:
        cgroup = cgroups.create(f"{run.name}/join", 128 << 20)
        join_once = _join_v1 if cgroup.version == 1 else _join_v2
        times = []
        for _ in range(40):
            await asyncio.sleep(_PAUSE_S)
            times.append(join_once(cgroup.join_fds()))
        cgroup.remove()
    return [Result("joining the cgroup, with pauses", statistics.median(times), "ms", 0.2)]


def _join_v1(joins: list[int]) -> float:
    """The child's own time for its writes to `tasks`."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        started = time.perf_counter()
        for tasks in joins:
            os.write(tasks, b"0")
        os.write(write, repr(time.perf_counter() - started).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    taken = float(os.read(read, 64))
    os.close(read)
    os.close(write)
    return taken * 1e3


def _join_v2(joins: list[int]) -> float:
    """A clone into the group less a plain one."""

    def timed(into_cgroup: int | None) -> float:
        started = time.perf_counter()
        pid = syscalls.clone(into_cgroup=into_cgroup)
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return (time.perf_counter() - started) * 1e3

    plain = timed(None)
    time.sleep(_PAUSE_S)
    return timed(joins[0]) - plain


async def tmp_write(store: RuntimeStore, folder: Path) -> list[Result]:
    """MiB per second written to /tmp inside, against the same program on a plain tmpfs of the host."""
    function = writer(folder)
    program = (function.code_root / "app.py").read_text()
    mount = folder / "tmpfs"
    mount.mkdir()
    syscalls.mount("tmpfs", str(mount), "tmpfs", 0, "size=512m")
    plain: dict[str, Callable[[dict[str, int], object], float]] = {}
    exec(program.replace("/tmp/written", f"{mount}/written"), plain)
    try:
        async with open_fleet(store) as fleet:

            async def ours() -> float:
                completed = await fleet.invoke(function, Invocation(b'{"mib": 256}'))
                return float(completed.outcome.payload)

            async def theirs() -> float:
                return await asyncio.to_thread(plain["handler"], {"mib": 256}, None)

            mine, others = await take_turns(ours, theirs, 15)
    finally:
        with contextlib.suppress(OSError):
            syscalls.umount_lazily(str(mount))
    return [Result("writing to /tmp", mine, "MiB/s", 0.95, "plain tmpfs", others, at_least=True)]


async def over_limit(store: RuntimeStore, folder: Path) -> list[Result]:
    """From the last MiB that fitted to the answer in the caller's hand."""
    function = grower(folder)
    times = []
    async with open_fleet(store) as fleet:
        for _ in range(15):
            completed = await fleet.invoke(function, Invocation())
            answered = time.monotonic_ns()
            assert completed.report.error_type == "Runtime.OutOfMemory"
            clocks = [e.message for e in completed.logs if e.message.strip().isdigit()]
            times.append((answered - int(clocks[-1])) / 1e6)
    return [Result("over the limit, to the answer", statistics.median(times), "ms", 20)]
