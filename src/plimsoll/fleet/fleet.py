"""The fleet: leases a warm environment for each invocation, makes one where there is none, ends them all.

Rule: one request at a time per environment. Today it keeps one environment per function and queues behind it;
`Fleet.invoke` is the seam behind which scale-out and other engines will stand.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from plimsoll.environment import Environment
from plimsoll.sandbox.box import Spawner
from plimsoll.sandbox.cgroup_host import this_host
from plimsoll.sandbox.page_cache import HeldPages
from plimsoll.sandbox.run_folder import run_folder
from plimsoll.sandbox.stock import Stock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from plimsoll.model import Completed, Function, Invocation
    from plimsoll.runtimes import Runtime, RuntimeStore


class Fleet:
    """Made by `open_fleet`."""

    def __init__(self, stock: Stock, runtimes: RuntimeStore, run: Path) -> None:
        self.staging = run / "staging"
        """A folder of this run for unpacked code; gone with it."""
        self.staging.mkdir(mode=0o711, exist_ok=True)
        self._stock = stock
        self._runtimes = runtimes
        self._pages = HeldPages()
        self._loaded: dict[str, Runtime] = {}
        self._warm: dict[str, Environment] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def invoke(
        self, function: Function, invocation: Invocation, *, files: bool = False
    ) -> Completed:
        """Runs one invocation in the function's warm environment. Raises `CallerError`, `PlatformError`."""
        turn = self._turns.setdefault(function.arn, asyncio.Lock())
        async with turn:
            environment = await self._lease(function)
            completed = await environment.invoke(invocation, files=files)
            if not environment.can_invoke:
                self._retire(function)
            return completed

    async def recycle(self, function: Function) -> None:
        """Ends the function's warm environment, if it has one; all of it is gone on return."""
        self._retire(function)
        await asyncio.gather(*self._ending)

    async def close(self) -> None:
        """Ends all environments."""
        for environment in self._warm.values():
            await environment.stop()
        self._warm.clear()
        await asyncio.gather(*self._ending)
        self._pages.close()

    async def _lease(self, function: Function) -> Environment:
        warm = self._warm.get(function.arn)
        if warm is not None and (warm.function is function or warm.function == function):
            return warm
        self._retire(function)
        runtime = await self._runtime(function.runtime)
        warm = Environment.build(function, runtime, self._stock)
        self._warm[function.arn] = warm
        return warm

    async def _runtime(self, name: str) -> Runtime:
        """An installed runtime, read from disk once; its program text is held from then on."""
        runtime = self._loaded.get(name)
        if runtime is None:
            runtime = self._runtimes.get(name)
            await asyncio.to_thread(self._pages.hold, runtime.mapped_files())
            self._loaded[name] = runtime
        return runtime

    def _retire(self, function: Function) -> None:
        """Ends an environment off the invoke path: a full `/tmp` takes the kernel 66 ms to free."""
        old = self._warm.pop(function.arn, None)
        if old is not None:
            task = asyncio.create_task(old.stop())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


@asynccontextmanager
async def open_fleet(runtimes: RuntimeStore) -> AsyncIterator[Fleet]:
    """A fleet on this host; everything that it made is gone when the context is left.

    Raises `HostCannot` where this host cannot hold a true environment.
    """
    cgroups = this_host()
    with run_folder(cgroups.remove_run) as run:
        async with Spawner(run / "root") as spawner:
            stock = Stock(spawner, cgroups, run.name)
            fleet = Fleet(stock, runtimes, run)
            try:
                yield fleet
            finally:
                await fleet.close()
                await stock.close()
