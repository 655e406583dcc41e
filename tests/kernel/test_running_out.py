"""Running out of memory in each of its ways, and what tells them apart (facts sheet C6 to C8)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot
from plimsoll.fleet import open_fleet
from plimsoll.runtimes import RuntimeStore
from plimsoll.sandbox import syscalls
from tests.kernel.conftest import invoke, log_text, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Completed, Function

KILLED = "Runtime exited with error: signal: killed"
GROWER = """
#include <stdlib.h>
#include <string.h>
int main(void) { for (;;) { char *piece = malloc(1 << 20); if (!piece) return 3; memset(piece, 1, 1 << 20); } }
"""
CRASHER = """
#include <signal.h>
int main(void) { raise(SIGSEGV); return 0; }
"""


def ended(completed: Completed) -> tuple[str | None, str]:
    return completed.report.error_type, response(completed)["errorMessage"].partition("Error: ")[2]


async def test_buffers_outside_nodes_heap_are_the_kernels_kill(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """V8's limit knows nothing of them."""
    code = "const kept = [];\nexports.handler = async () => { for (;;) kept.push(Buffer.alloc(4 << 20, 1)); };\n"
    completed = await invoke(fleet, deploy(code, "index.js", timeout_s=20))
    assert ended(completed) == ("Runtime.OutOfMemory", KILLED)
    assert completed.report.max_memory_used_mib == 128


async def test_v8s_own_limit_is_an_abort_and_not_the_kernels_kill(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """The heap ends at 90 % of Memory Size (facts sheet C7) while the cgroup has room: another error, other words."""
    code = "const kept = [];\nexports.handler = async () => { for (;;) kept.push(new Array(1e4).fill(1.5)); };\n"
    function = deploy(code, "index.js", memory_mib=1024, timeout_s=40)
    completed = await invoke(fleet, function)
    error_type, words = ended(completed)
    assert error_type == "Runtime.ExitError"
    assert words.startswith("Runtime exited with error: signal: aborted")
    assert "JavaScript heap out of memory" in log_text(completed)


async def test_nodes_heap_is_sized_by_memory(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """`--max-old-space-size` is nine tenths, `--max-semi-space-size` a twentieth (facts sheet C7)."""
    code = (
        "exports.handler = async () => process.execArgv.filter((flag) => flag.includes('space'));\n"
    )
    flags = response(await invoke(fleet, deploy(code, "index.js", memory_mib=1024)))
    assert flags == ["--max-semi-space-size=51", "--max-old-space-size=922"]


async def test_a_python_list_that_grows_is_the_kernels_kill(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """Each step is small: nothing but the limit ends it."""
    code = "kept = []\ndef handler(e, c):\n  while True: kept.append(object())\n"
    completed = await invoke(fleet, deploy(code, timeout_s=20))
    assert ended(completed) == ("Runtime.OutOfMemory", KILLED)


@pytest.mark.parametrize("mib", [128 + 256 + 6, 600, 10 << 10, 1 << 20])
async def test_an_allocation_beyond_all_memory_fails_at_once(
    fleet: Fleet, deploy: Callable[..., Function], mib: int
) -> None:
    """As in a small virtual machine: MemoryError, which the handler can catch, and the runtime lives."""
    code = (
        "def handler(e, c):\n"
        "  try: return len(bytearray(e << 20))\n"
        "  except MemoryError: return 'MemoryError'\n"
    )
    completed = await invoke(fleet, deploy(code), mib)
    assert (completed.report.status, response(completed)) == ("success", "MemoryError")


async def test_a_handler_that_does_not_catch_it_fails_with_it(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """An ordinary error of the function's: the environment stays."""
    function = deploy("def handler(e, c):\n  return len(bytearray(10 << 30))\n")
    completed = await invoke(fleet, function)
    assert response(completed)["errorType"] == "MemoryError"
    assert (await invoke(fleet, function)).report.invocation == 2


async def test_no_rlimit_says_so(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """Address space and data have no limit, as recorded on AWS (facts sheet C8)."""
    code = (
        "import resource as r\n"
        "def handler(e, c):\n  return [r.getrlimit(n)[0] for n in (r.RLIMIT_AS, r.RLIMIT_DATA, r.RLIMIT_RSS)]\n"
    )
    assert response(await invoke(fleet, deploy(code))) == [-1, -1, -1]


@pytest.mark.parametrize(
    "call",
    [
        "mmap.mmap(-1, 8 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ)",
        "mmap.mmap(-1, 8 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)",
        "bytearray(300 << 20)",
    ],
    ids=["read-only", "no-reserve", "within-the-machine"],
)
async def test_what_a_kernel_would_grant_is_granted(
    fleet: Fleet, deploy: Callable[..., Function], call: str
) -> None:
    """Reservations are not allocations: runtimes reserve address space by the gigabyte."""
    code = f"import mmap\ndef handler(e, c):\n  return len({call})\n"
    completed = await invoke(fleet, deploy(code, memory_mib=512))
    assert completed.report.status == "success", response(completed)


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
async def test_a_compiled_child_that_grows_is_killed_and_the_runtime_lives(
    fleet: Fleet, deploy: Callable[..., Function], tmp_path: Path
) -> None:
    """The kernel takes the largest; the handler sees its child die of SIGKILL."""
    compile_c(GROWER, tmp_path / "grower")
    code = "import subprocess\ndef handler(e, c):\n  return subprocess.run(['/var/task/grower']).returncode\n"
    completed = await invoke(fleet, deploy(code, timeout_s=20))
    assert (completed.report.status, response(completed)) == ("success", -9)
    assert completed.report.max_memory_used_mib == 128


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
@pytest.mark.skipif(
    not re.fullmatch(r"core(\.%p)?|/tmp/core.*", Path("/proc/sys/kernel/core_pattern").read_text().strip()),
    reason="this kernel puts core dumps elsewhere",
)  # fmt: skip
async def test_a_crash_dumps_its_core_into_tmp(
    fleet: Fleet, deploy: Callable[..., Function], tmp_path: Path
) -> None:
    """The core limit is 10 GiB, so a crashing child fills `/tmp` (facts sheet C3.6, C8)."""
    compile_c(CRASHER, tmp_path / "crasher")
    code = "import subprocess\ndef handler(e, c):\n  return subprocess.run(['/var/task/crasher'], cwd='/tmp').returncode\n"
    completed = await invoke(fleet, deploy(code))
    assert response(completed) == -11
    (core,) = completed.report.tmp.files
    assert os.path.basename(core.path).startswith("core")
    assert core.bytes >= 64 << 10
    assert completed.report.memory.tmp_bytes >= core.bytes


def compile_c(source: str, program: Path) -> None:
    command = ["cc", "-O1", "-x", "c", "-o", str(program), "-"]
    subprocess.run(command, input=source, text=True, check=True)


async def test_a_full_disk_of_the_host_is_no_full_tmp(
    store: RuntimeStore, deploy: Callable[..., Function], tmp_path: Path
) -> None:
    """The function's /tmp has room, the host has none: an error of the platform's, which names the disk."""
    code = "def handler(e, c):\n  open('/tmp/x', 'wb').write(bytes(64 << 20))\n"
    disk = tmp_path / "disk"
    disk.mkdir()
    syscalls.mount("tmpfs", str(disk), "tmpfs", 0, "size=32m")
    try:
        small = RuntimeStore(disk)
        monkey = pytest.MonkeyPatch()
        monkey.setattr(small, "get", store.get)
        async with open_fleet(small, "shared") as fleet:
            with pytest.raises(HostCannot, match="the disk of this host is full"):
                await invoke(fleet, deploy(code, tmp_backing="disk", memory_mib=512))
    finally:
        syscalls.umount_lazily(str(disk))


async def test_a_starved_environment_does_not_thrash_on(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """Growth by small steps is ended in each of five environments long before its timeout."""
    code = "kept = []\ndef handler(e, c):\n  while True: kept.append(object())\n"
    function = deploy(code, timeout_s=20)
    ends = [ended(await invoke(fleet, function)) for _ in range(5)]
    assert ends == [("Runtime.OutOfMemory", KILLED)] * 5
