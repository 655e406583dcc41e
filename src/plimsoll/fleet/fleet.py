"""The fleet: leases a warm environment for each invocation, makes one where there is none, ends them all.

Rule: one request at a time per environment. Today it keeps one environment per function and queues behind it;
`Fleet.invoke` is the seam behind which scale-out and other engines will stand.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from plimsoll.environment import Environment
from plimsoll.environment.housing import exact_housing, shared_housing
from plimsoll.errors import HostCannot
from plimsoll.fleet.rehearsal import rehearsal_function, rehearse
from plimsoll.images import ImageStore, open_blank
from plimsoll.sandbox.box import Spawner
from plimsoll.sandbox.cgroup_host import this_host
from plimsoll.sandbox.page_cache import HeldPages
from plimsoll.sandbox.run_folder import run_folder
from plimsoll.sandbox.stock import Stock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from plimsoll.environment.housing import Housing
    from plimsoll.errors import PlatformError
    from plimsoll.model import Completed, Function, Invocation
    from plimsoll.model.memory import Accounting, Touched
    from plimsoll.runtimes import Runtime, RuntimeStore


class Fleet:
    """Made by `open_fleet`."""

    def __init__(
        self,
        spawner: Spawner,
        stock: Stock,
        runtimes: RuntimeStore,
        run: Path,
        images: ImageStore,
        accounting: Accounting | None,
    ) -> None:
        self.staging = run / "staging"
        """A folder of this run for unpacked code; gone with it."""
        self.staging.mkdir(mode=0o711, exist_ok=True)
        self.not_exact: PlatformError | None = None
        """Why the accounting is `shared`, where nobody asked for that; known from the first environment on."""
        self._spawner = spawner
        self._stock = stock
        self._runtimes = runtimes
        self._images = images
        self._accounting = accounting
        self._pages = HeldPages()
        self._loaded: dict[str, Runtime] = {}
        self._touched: dict[str, Touched] = {}
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
            try:
                return await environment.invoke(invocation, files=files)
            finally:
                if not environment.can_invoke:
                    self._retire(function)

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
        housing = await self._house(function, await self._runtime(function))
        warm = Environment.build(function, self._loaded[function.runtime], self._stock, housing)
        self._warm[function.arn] = warm
        return warm

    async def _runtime(self, function: Function) -> Runtime:
        """The function's runtime, read from disk once; it also settles the accounting, if that is still open."""
        name = function.runtime
        runtime = self._loaded.get(name)
        if runtime is None:
            runtime = await asyncio.to_thread(self._runtimes.get, name)
            if self._accounting != "shared":
                await self._try_exact(function, runtime)
            if self._accounting == "shared":
                await asyncio.to_thread(self._pages.hold, runtime.mapped_files())
            else:
                await self._learn_touched(runtime)
            self._loaded[name] = runtime
        return runtime

    async def _learn_touched(self, runtime: Runtime) -> None:
        """By a rehearsal, once for each image; without what it teaches environments only start more slowly."""
        rehearsed = rehearsal_function(runtime)
        if rehearsed is None:
            return
        touched = self._images.touched(runtime.image_key)
        if touched is None:
            housing = await self._house(rehearsed, runtime)
            touched = await rehearse(rehearsed, runtime, self._stock, housing)
            if touched is None:
                return
            with suppress(OSError):  # a store that may only be read: it is learned anew each time
                self._images.keep_touched(runtime.image_key, touched)
        self._touched[runtime.name] = touched

    async def _try_exact(self, function: Function, runtime: Runtime) -> None:
        """Makes the images that are needed and mounts one. Where that fails the accounting is `shared` from here on.

        Raises `HostCannot` where `exact` was asked for.
        """
        try:
            housing = await asyncio.to_thread(exact_housing, function, runtime, self._images)
            await self._spawner.try_image(housing.images[0][0])
        except HostCannot as error:
            cause = HostCannot(
                f"this host cannot give an environment a page cache of its own: {error.message}",
                mend=error.mend,
            )
            if self._accounting == "exact" or self._loaded:
                raise cause from error
            self._accounting, self.not_exact = "shared", cause

    async def _house(self, function: Function, runtime: Runtime) -> Housing:
        if self._accounting == "shared":
            housing = shared_housing(function, runtime)
        else:
            housing = await asyncio.to_thread(exact_housing, function, runtime, self._images)
            housing = replace(housing, read_ahead=self._touched.get(runtime.name, ()))
        if function.tmp_backing == "disk":
            disk = await asyncio.to_thread(open_blank, self._images.folder, function.tmp_mib)
            housing = replace(housing, tmp_disk=disk, tmp_folder=self._images.folder)
        return housing

    def _retire(self, function: Function) -> None:
        """Ends an environment off the invoke path: a full `/tmp` takes the kernel 66 ms to free."""
        old = self._warm.pop(function.arn, None)
        if old is not None:
            task = asyncio.create_task(old.stop())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


@asynccontextmanager
async def open_fleet(
    runtimes: RuntimeStore,
    accounting: Accounting | None = None,
    on_progress: Callable[[str], None] = lambda what: None,
) -> AsyncIterator[Fleet]:
    """A fleet on this host; everything that it made is gone when the context is left.

    `accounting`: None takes `exact` where this host can, else `shared`. `on_progress` is told, from any thread, what
    takes more than a second. Raises `HostCannot` where this host cannot hold
    a true environment.
    """
    cgroups = this_host()
    with run_folder(cgroups.remove_run) as run:
        async with Spawner(run / "root") as spawner:
            stock = Stock(spawner, cgroups, run.name)
            images = ImageStore(runtimes.data_folder, on_progress)
            fleet = Fleet(spawner, stock, runtimes, run, images, accounting)
            try:
                yield fleet
            finally:
                await fleet.close()
                await stock.close()
