"""Images and their mounts: how long they take to make, to mount and to let go."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import time
from typing import TYPE_CHECKING

from bench.turns import Result, take_turns
from plimsoll.images import ImageStore, open_blank
from plimsoll.sandbox.box import BoxSpec, Spawner
from plimsoll.sandbox.cgroup_host import this_host
from plimsoll.sandbox.run_folder import run_folder
from plimsoll.sandbox.stock import Stock

if TYPE_CHECKING:
    from pathlib import Path

    from plimsoll.runtimes import RuntimeStore

_ROUNDS = 30
_CODE_FILES, _CODE_FILE_BYTES = 500, 10 << 10
_PAUSE_S = 0.05


async def images(store: RuntimeStore, folder: Path) -> list[Result]:
    """Made once: the image of a Node runtime, and of a function with 5 MB of code."""
    code = folder / "code"
    code.mkdir()
    for number in range(_CODE_FILES):
        (code / f"{number}.js").write_bytes(os.urandom(_CODE_FILE_BYTES))
    runtime = store.get("nodejs20.x")
    # beside the installed ones: on the disk on which they are made in earnest
    into = ImageStore(store.data_folder / "bench")
    try:
        started = time.perf_counter()
        into.of_runtime(runtime.image_key, runtime.folder)
        of_runtime = time.perf_counter() - started
        started = time.perf_counter()
        into.of_code(code)
        of_code = time.perf_counter() - started
    finally:
        shutil.rmtree(into.folder.parent)
    return [
        Result("image of nodejs20.x", of_runtime, "s", 10),
        Result("image of 5 MB of code in 500 files", of_code, "s", 0.5),
    ]


async def mounts(store: RuntimeStore, folder: Path) -> list[Result]:
    """What images and a disk for /tmp add to the making and to the end of a box."""
    own = ImageStore(store.data_folder)
    runtime = store.get("nodejs20.x")
    (folder / "code").mkdir()
    shown = (
        (str(own.of_runtime(runtime.image_key, runtime.folder)), runtime.shown),
        (str(own.of_code(folder / "code")), ((".", "/var/task"),)),
    )
    plain = BoxSpec(tmp_bytes=512 << 20, tmp_inodes=1 << 16)
    with_images = BoxSpec(tmp_bytes=512 << 20, tmp_inodes=1 << 16, images=shown)
    cgroups = this_host()
    with run_folder(cgroups.remove_run) as run:
        async with Spawner(run / "root") as spawner:
            stock = Stock(spawner, cgroups, run.name)

            async def timed(spec: BoxSpec) -> float:
                await asyncio.sleep(_PAUSE_S)
                started = time.perf_counter()
                made, cgroup = stock.create(spec, 128 << 20)
                await made.ready
                await made.close()
                taken = time.perf_counter() - started
                cgroup.remove()
                return taken * 1e3

            async def disk() -> float:
                started = time.perf_counter()
                file = await asyncio.to_thread(open_blank, own.folder, 512)
                making = (time.perf_counter() - started) * 1e3
                spec = BoxSpec(tmp_bytes=0, tmp_inodes=0, tmp_disk=file)
                taken = await timed(spec)
                os.close(file)
                return making + taken

            imaged, without = await take_turns(
                lambda: timed(with_images), lambda: timed(plain), _ROUNDS
            )
            disks = statistics.median([await disk() for _ in range(_ROUNDS)])
            await stock.close()
    return [
        Result("images of runtime and code, mounted and let go", imaged - without, "ms", 10),
        Result("a disk for /tmp, made, mounted and let go", disks - without, "ms", 25),
    ]
