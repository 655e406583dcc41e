"""However Plimsoll ends, nothing of an environment outlives it; what a kill left is swept at the next start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.meter.processes import seen_from_outside
from plimsoll.sandbox.cgroup_host import this_host
from plimsoll.sandbox.run_folder import RUN_ROOT, sweep
from tests.kernel.conftest import PYTHON, leftovers, loop_devices

if TYPE_CHECKING:
    from plimsoll.runtimes import RuntimeStore

SLEEPER = "import os, time\ndef handler(e, c):\n  os.fork()\n  open('/tmp/sleeping', 'w')\n  time.sleep(60)\n"


def boxed_processes(of: asyncio.subprocess.Process) -> list[int]:
    """The processes in the cgroups of one Plimsoll's run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"/plimsoll/{of.pid}-" in (process / "cgroup").read_text():
                found.append(int(process.name))
    return found


def is_sleeping(of: asyncio.subprocess.Process) -> bool:
    """Whether its function is in the middle of an invocation, which it says in its `/tmp`."""
    assert of.returncode is None
    for pid in boxed_processes(of):
        with contextlib.suppress(OSError):
            if Path(seen_from_outside(pid, "/tmp/sleeping")).exists():
                return True
    return False


async def wait_until(condition: object) -> None:
    """Polls a condition; the test's own timeout is the limit."""
    while not condition():  # type: ignore[operator]
        await asyncio.sleep(0.01)


async def start_sleeper(folder: Path, *options: str) -> asyncio.subprocess.Process:
    folder.chmod(0o755)
    (folder / "app.py").write_text(SLEEPER)
    command = (
        *("invoke", str(folder), "--runtime", PYTHON, "--handler", "app.handler"),
        *("--timeout", "60", *options),
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "plimsoll", *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await wait_until(lambda: is_sleeping(process))
    return process


BACKINGS = pytest.mark.parametrize("backing", ["tmpfs", "disk"])


@BACKINGS
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
async def test_interrupted_it_cleans_up_and_says_so(
    tmp_path: Path, store: RuntimeStore, number: signal.Signals, status: int, backing: str
) -> None:
    """Ctrl-C, SIGTERM and SIGHUP in the middle of an invocation: no process, mount, loop device or cgroup is left."""
    process = await start_sleeper(tmp_path, "--tmp-backing", backing)
    process.send_signal(number)
    _, err = await process.communicate()
    assert process.returncode == status
    assert f"interrupted by {number.name}".encode() in err
    assert boxed_processes(process) == []
    assert leftovers() == []


@BACKINGS
async def test_killed_it_leaves_no_process_and_the_next_start_sweeps_the_rest(
    tmp_path: Path, store: RuntimeStore, backing: str
) -> None:
    """kill -9: the kernel takes spawner, box, children and disks at once; empty cgroups go at the next start."""
    process = await start_sleeper(tmp_path, "--tmp-backing", backing)
    # the runtime's image, the code's, and the disk, which has no name
    assert len(loop_devices()) == 2 + (backing == "disk")
    assert ("(deleted)" in "".join(loop_devices())) == (backing == "disk")
    process.kill()
    await process.communicate()
    await wait_until(lambda: boxed_processes(process) == [])
    await wait_until(lambda: loop_devices() == [])
    swept = sweep(this_host().remove_run)
    assert str(process.pid) in [name.split("-")[0] for name in swept]
    await wait_until(lambda: leftovers() == [])
    assert list(RUN_ROOT.glob(f"{process.pid}-*")) == []


async def test_a_living_run_is_not_swept(tmp_path: Path, store: RuntimeStore) -> None:
    """Two at once: the second one's sweep leaves the first alone."""
    process = await start_sleeper(tmp_path)
    assert str(process.pid) not in [n.split("-")[0] for n in sweep(this_host().remove_run)]
    assert len(boxed_processes(process)) >= 2
    process.terminate()
    await process.communicate()
    assert boxed_processes(process) == []


async def test_a_killed_spawner_ends_the_invocation_with_an_error_of_ours(
    tmp_path: Path, store: RuntimeStore
) -> None:
    """Half of Plimsoll dying is never an outcome of the function: exit status 3, and nothing left."""
    process = await start_sleeper(tmp_path)
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            text = cmdline.read_bytes()
            parent = json.loads(cmdline.with_name("stat").read_text().split()[3])
            if b"sandbox.spawner" in text and parent == process.pid:
                os.kill(int(cmdline.parent.name), signal.SIGKILL)
    _, err = await process.communicate()
    assert process.returncode == 3
    assert b"the spawner was killed" in err
    assert boxed_processes(process) == []
    await wait_until(lambda: loop_devices() == [])
