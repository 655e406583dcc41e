"""Real kernel, real runtimes: what the tests of this folder share, and the proof that they leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plimsoll.environment.housing import runtime_image
from plimsoll.fleet import Fleet, open_fleet
from plimsoll.images import ImageStore
from plimsoll.model import Completed, Function, Invocation
from plimsoll.runtimes import RuntimeStore
from plimsoll.sandbox.run_folder import RUN_ROOT, owner_is_dead
from plimsoll.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
NODE = "nodejs20.x"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These need root; without it they are skipped, and `scripts/test` refuses to start."""
    for item in items:
        if "tests/kernel" in str(item.path):
            item.add_marker("kernel")
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root"))


def loop_devices(data_folder: Path | None = None) -> list[str]:
    """The loop devices on files of a data folder's images, deleted ones too; default: this session's own folder."""
    home = data_folder or read_settings(os.environ).data_folder
    images = (home / "images").resolve()
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):  # freed meanwhile
            path = backing.read_text().removesuffix("\n")
            # opened in a box, a file is told from the root of its own file system on
            if Path(path.removesuffix(" (deleted)")).parent.parts[-2:] == images.parts[-2:]:
                found.append(f"{backing.parts[3]}: {path}")
    return found


def leftovers() -> list[str]:
    """What a Plimsoll that is gone has left on this machine; what belongs to a living one is nobody's leftover."""
    runs = [*RUN_ROOT.glob("[0-9]*")]
    dead = [folder for folder in runs if owner_is_dead(folder)]
    living = {folder.name for folder in runs} - {folder.name for folder in dead}
    mounts = Path("/proc/mounts").read_text().splitlines()
    found = [line for line in mounts if "plimsoll" in line.split()[1]]
    found += [str(folder) for folder in dead]
    for groups in ("*/plimsoll/*/", "plimsoll/*/"):
        found += [
            str(group) for group in Path("/sys/fs/cgroup").glob(groups) if group.name not in living
        ]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            command = process.read_text(errors="replace")
            if "plimsoll.sandbox.spawner" in command and not any(run in command for run in living):
                found.append(str(process))
    return found + loop_devices()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuntimeStore]:
    """The user's runtimes, with the two that these tests run; the images made of them are the session's own."""
    user = read_settings(os.environ).data_folder
    for name in (NODE, PYTHON):
        RuntimeStore(user).add(name, lambda step: None)
    store = RuntimeStore(share_runtimes(user, tmp_path_factory.mktemp("home")))
    for name in (NODE, PYTHON):
        runtime_image(store.get(name), ImageStore(store.data_folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLIMSOLL_HOME", str(store.data_folder))
        yield store
    shutil.rmtree(store.data_folder)


def share_runtimes(user: Path, home: Path) -> Path:
    """Makes a folder a data folder with the runtimes of another one, and no images."""
    for part in ("runtimes", "tools"):
        if (user / part).is_dir():
            (home / part).symlink_to(user / part)
    return home


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind(store: RuntimeStore) -> Iterator[None]:
    """The whole folder's promise: no mount, loop device, cgroup or process outlives it."""
    yield
    assert leftovers() == []


@pytest.fixture
async def fleet(store: RuntimeStore) -> AsyncIterator[Fleet]:
    async with open_fleet(store) as fleet:
        yield fleet


@pytest.fixture
async def shared_fleet(store: RuntimeStore) -> AsyncIterator[Fleet]:
    """One whose environments read the host's own files."""
    async with open_fleet(store, "shared") as fleet:
        yield fleet


@pytest.fixture(params=["exact", "shared"])
async def either_fleet(request: pytest.FixtureRequest, store: RuntimeStore) -> AsyncIterator[Fleet]:
    """One of each accounting."""
    async with open_fleet(store, request.param) as fleet:
        yield fleet


@pytest.fixture
def deploy(tmp_path: Path) -> Callable[..., Function]:
    """Writes code into a folder and describes the function."""
    tmp_path.chmod(0o755)

    def deploy(
        code: str, name: str = "app.py", handler: str | None = None, **changed: Any
    ) -> Function:
        (tmp_path / name).write_text(code)
        stem = name.rpartition(".")[0]
        python = name.endswith(".py")
        values: dict[str, Any] = {
            "name": "f",
            "runtime": PYTHON if python else NODE,
            "handler": handler or f"{stem}.handler",
            "code_root": tmp_path,
            "memory_mib": 128,
        }
        return Function(**{**values, **changed})

    return deploy


async def invoke(fleet: Fleet, function: Function, event: Any = None, times: int = 1) -> Completed:
    """The last of some invocations, one after the other."""
    payload = json.dumps(event if event is not None else {}).encode()
    for _ in range(times):
        completed = await fleet.invoke(function, Invocation(payload), files=True)
    return completed


def response(completed: Completed) -> Any:
    """The payload as JSON."""
    return json.loads(completed.outcome.payload)


def log_text(completed: Completed) -> str:
    """The log of one invocation as CloudWatch would show it."""
    return "".join(event.message for event in completed.logs)


async def plimsoll(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """The command itself: exit status, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "plimsoll", *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
