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
        self._held: set[str] = set()
        """Runtimes whose program text is in `_pages`."""
        self._touched: dict[str, Touched] = {}
        """What the runtimes touch whose images have been mounted."""
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
        runtime = await self._runtime(function.runtime)
        housing = await self._house(function, runtime)
        warm = Environment.build(function, runtime, self._stock, housing)
        self._warm[function.arn] = warm
        return warm

    async def _runtime(self, name: str) -> Runtime:
        """An installed or built-in runtime, read from disk once."""
        if name not in self._loaded:
            self._loaded[name] = await asyncio.to_thread(self._runtimes.get, name)
        return self._loaded[name]

    async def _house(self, function: Function, runtime: Runtime) -> Housing:
        """What the environment's file systems come from; settles the accounting, if that is still open."""
        housing = None
        if self._accounting != "shared":
            housing = await self._own_page_cache(function, runtime)
        if housing is None:
            if runtime.name not in self._held:
                await asyncio.to_thread(self._pages.hold, runtime.mapped_files())
                self._held.add(runtime.name)
            housing = shared_housing(function, runtime)
        if function.tmp_backing == "disk":
            disk = await asyncio.to_thread(open_blank, self._images.folder, function.tmp_mib)
            housing = replace(housing, tmp_disk=disk, tmp_folder=self._images.folder)
        return housing

    async def _own_page_cache(self, function: Function, runtime: Runtime) -> Housing | None:
        """Images, one of which is mounted for a trial at a runtime's first use; None where the host cannot.

        From there on the accounting is `shared`. Raises `HostCannot` where `exact` was asked for, or had been given.
        """
        if runtime.name in self._touched:
            housing = await asyncio.to_thread(exact_housing, function, runtime, self._images)
            return replace(housing, read_ahead=self._touched[runtime.name])
        try:
            housing = await asyncio.to_thread(exact_housing, function, runtime, self._images)
            await self._spawner.try_image(housing.images[0][0])
        except HostCannot as error:
            cause = HostCannot(
                f"this host cannot give an environment a page cache of its own: {error.message}",
                mend=error.mend,
            )
            if self._accounting == "exact" or self._touched:
                raise cause from error
            self._accounting, self.not_exact = "shared", cause
            return None
        self._touched[runtime.name] = await self._learn_touched(runtime)
        return replace(housing, read_ahead=self._touched[runtime.name])

    async def _learn_touched(self, runtime: Runtime) -> Touched:
        """By a rehearsal, once for each image; without what it teaches environments only start more slowly."""
        rehearsed = rehearsal_function(runtime)
        if rehearsed is None:
            return ()
        touched = self._images.touched(runtime.image_key)
        if touched is None:
            housing = await asyncio.to_thread(exact_housing, rehearsed, runtime, self._images)
            touched = await rehearse(rehearsed, runtime, self._stock, housing)
            with suppress(OSError):  # a store that may only be read: it is learned anew each time
                if touched:
                    self._images.keep_touched(runtime.image_key, touched)
        return touched

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
    takes more than a second. Raises `HostCannot` where this host cannot hold a true environment.
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
