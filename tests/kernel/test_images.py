"""What the `exact` accounting needs of the host, what is done without it, and images that are not what they were."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot
from plimsoll.fleet import open_fleet
from plimsoll.images import ImageStore
from plimsoll.model import Invocation
from plimsoll.runtimes import RuntimeStore
from tests.kernel.conftest import PYTHON, invoke, loop_devices, response, share_runtimes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plimsoll.fleet import Fleet
    from plimsoll.model import Function

HELLO = str(Path(__file__).parents[2] / "examples/hello/app.py")
COMMAND = "from plimsoll.__main__ import main; main()"
NO_E2FSPROGS = "from plimsoll.images import ext4; ext4._SYSTEM_PATH = '/nonexistent'; "
NO_LOOP_DEVICES = """
import os, stat
from plimsoll.sandbox import syscalls
syscalls.unshare(syscalls.CLONE_NEWNS)
syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
syscalls.mount("dev", "/dev", "tmpfs")
for name, minor in (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
    os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(1, minor))
"""


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory, store: RuntimeStore) -> Iterator[RuntimeStore]:
    """A data folder with runtimes, and without any image."""
    home = tmp_path_factory.mktemp("bare")
    yield RuntimeStore(share_runtimes(store.data_folder, home))
    shutil.rmtree(home)


async def hello(home: Path, preparation: str, *options: str) -> tuple[int, str, str]:
    """`plimsoll invoke` of hello-world in a process that runs a preparation first: status, output and error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", preparation + COMMAND, "invoke", HELLO),
        *("--runtime", PYTHON, "--format", "json", *options),
        env={"PATH": "", "PLIMSOLL_HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


WITHOUT = pytest.mark.parametrize(
    ("preparation", "cause", "mend"),
    [
        (NO_E2FSPROGS, "this host has no mke2fs", "mend: apt-get install e2fsprogs"),
        (NO_LOOP_DEVICES, "/dev/loop-control", "mend: plimsoll doctor"),
    ],
    ids=["no mke2fs", "no loop devices"],
)


@WITHOUT
async def test_a_host_that_cannot_says_so_where_exact_was_asked_for(
    bare: RuntimeStore, preparation: str, cause: str, mend: str
) -> None:
    """Exit status 3 with what is missing and what mends it, and no figure at all."""
    status, out, err = await hello(bare.data_folder, preparation, "--accounting", "exact")
    assert (status, out) == (3, "")
    assert "this host cannot give an environment a page cache of its own" in err
    assert cause in err
    assert mend in err


@WITHOUT
async def test_where_nobody_asked_it_falls_back_and_says_so(
    bare: RuntimeStore, preparation: str, cause: str, mend: str
) -> None:
    """The figures are there, named `shared`, with the reason and what mends it on standard error."""
    status, out, err = await hello(bare.data_folder, preparation)
    assert status == 0, err
    assert json.loads(out.splitlines()[0])["memory"]["accounting"] == "shared"
    assert "the accounting is `shared`, since this host cannot" in err
    assert cause in err
    assert mend in err


async def test_a_fleet_tells_why_it_is_not_exact(
    bare: RuntimeStore, deploy: Callable[..., Function], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`not_exact` is the error that `exact` would have been; None where the accounting is as wanted."""
    monkeypatch.setattr("plimsoll.images.ext4._SYSTEM_PATH", "/nonexistent")
    monkeypatch.setenv("PATH", "")
    function = deploy("def handler(e, c): ...\n")
    async with open_fleet(bare, "exact") as exact:
        with pytest.raises(HostCannot, match="no mke2fs"):
            await exact.invoke(function, Invocation())
    async with open_fleet(bare) as fleet:
        assert (await invoke(fleet, function)).report.accounting == "shared"
        assert fleet.not_exact is not None
        assert "no mke2fs" in fleet.not_exact.message
    async with open_fleet(bare, "shared") as shared:
        await invoke(shared, function)
        assert shared.not_exact is None


def cut_short(image: Path) -> None:
    os.truncate(image, image.stat().st_size // 2)


def change(image: Path) -> None:
    """Other bytes in the middle, and the times set back to what they were."""
    before = image.stat()
    with open(image, "r+b") as file:
        file.seek(before.st_size // 2)
        file.write(b"\xff" * 4096)
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))


def shape(image: Path) -> tuple[str, int, bytes]:
    """What all images of one content have alike: name, size, and bytes in the middle."""
    with open(image, "rb") as file:
        file.seek(image.stat().st_size // 2)
        return image.name, image.stat().st_size, file.read(4096)


@pytest.mark.parametrize("damage", [cut_short, change, Path.unlink])
async def test_an_image_that_is_not_what_it_was_is_made_anew(
    bare: RuntimeStore, deploy: Callable[..., Function], damage: Callable[[Path], None]
) -> None:
    """Cut short, changed behind our back, or gone: the next environment gets a good one, and the function runs."""
    function = deploy("def handler(e, c): return 'ok'\n")
    folder = ImageStore(bare.data_folder).folder
    async with open_fleet(bare, "exact") as fleet:
        assert response(await invoke(fleet, function)) == "ok"
    images = sorted(folder.glob("*.img"))
    assert {image.name.partition("-")[0] for image in images} == {"code", "runtime"}
    good = [shape(image) for image in images]
    for image in images:
        damage(image)
    async with open_fleet(bare, "exact") as fleet:
        assert response(await invoke(fleet, function)) == "ok"
    assert [shape(image) for image in sorted(folder.glob("*.img"))] == good


async def test_an_environment_outlives_its_images(
    fleet: Fleet, store: RuntimeStore, deploy: Callable[..., Function]
) -> None:
    """What is removed while it is mounted is there for its environment to the end, and goes with it."""
    code = "def handler(e, c): return len(open('/var/task/data', 'rb').read()) if e else 0\n"
    function = deploy(code)
    (function.code_root / "data").write_bytes(os.urandom(1 << 20))
    await invoke(fleet, function)
    image = ImageStore(store.data_folder).of_code(function.code_root)
    image.unlink()
    assert f"{image} (deleted)" in "".join(loop_devices())
    assert response(await invoke(fleet, function, {"read": True})) == 1 << 20
    await fleet.recycle(function)
    assert loop_devices() == []
