"""Version 1 on recorded kernel files."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import LimitNotEnforced
from plimsoll.memory import CgroupMemory
from plimsoll.sandbox import cgroup
from plimsoll.sandbox.cgroup import Peak
from tests.unit.sandbox.conftest import LIMIT_BYTES, lay_out_v1

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.sandbox.conftest import Recording


def test_the_charge_is_read_as_recorded(v1: Recording) -> None:
    """Heap, shared memory, page cache and kernel come from the kernel's own files, in bytes."""
    assert v1.create().memory() == CgroupMemory(
        usage_bytes=42790912,
        anon_bytes=26308608,
        shmem_bytes=10485760,
        file_bytes=5251072,
        kernel_bytes=278528,
        mapped_file_bytes=4251648,
    )


def test_a_reading_is_of_now(v1: Recording) -> None:
    """Descriptors are kept, figures are not: each call asks the kernel again."""
    group = v1.create()
    v1.write("memory.usage_in_bytes", "4096\n")
    v1.write("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    assert (group.usage_bytes(), group.memory().usage_bytes, group.oom_kills()) == (4096, 4096, 3)


def test_the_peak_is_the_kernels(v1: Recording) -> None:
    """Version 1 keeps the high-water mark itself, so it is never a sampler's."""
    assert v1.create().peak() == Peak(134217728, from_kernel=True)


def test_a_new_window_restarts_the_high_water_mark(v1: Recording) -> None:
    """Any write to memory.max_usage_in_bytes restarts it at the present usage (cgroup-v1/memory.rst, 5.2)."""
    group = v1.create()
    v1.write("memory.max_usage_in_bytes", "")
    group.start_window()
    assert v1.path("memory.max_usage_in_bytes").read_text() == "0"


def test_processes_and_their_time_are_read(v1: Recording) -> None:
    """The group's processes, its CPU time in whole microseconds, its killed processes."""
    group = v1.create()
    assert (group.pids(), group.cpu_usec(), group.oom_kills()) == ([8624], 136540, 1)


def test_limits_are_written_to_every_controller(v1: Recording) -> None:
    """Memory, memory with swap, and 1,024 processes; swap is closed by the equal pair."""
    assert v1.create().limit_bytes() == LIMIT_BYTES
    assert v1.path("memory.limit_in_bytes").read_text() == "134217728\n"
    assert v1.path("memory.memsw.limit_in_bytes").read_text() == "134217728\n"
    assert v1.path("pids.max").read_text() == "1024"
    assert v1.path("memory.swappiness").read_text() == ""


def test_without_swap_accounting_swappiness_closes_swap(v1: Recording) -> None:
    """A kernel without memory.memsw.*: the group's swappiness becomes 0."""
    v1.path("memory.memsw.limit_in_bytes").unlink()
    v1.create()
    assert v1.path("memory.swappiness").read_text() == "0"


@pytest.mark.parametrize(
    ("limit_bytes", "expected"),
    [
        (100 << 20, ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]),
        (512 << 20, ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"]),
    ],
)
def test_memory_is_never_allowed_more_than_memory_with_swap(
    v1: Recording, monkeypatch: pytest.MonkeyPatch, limit_bytes: int, expected: list[str]
) -> None:
    """The kernel refuses memory above memory+swap: a lower limit starts with memory, a higher one ends with it."""
    group = v1.create()
    written: list[str] = []
    monkeypatch.setattr(cgroup, "write_and_verify", lambda path, _: written.append(path))
    group.set_limit(limit_bytes)
    assert [os.path.basename(path) for path in written] == expected


@pytest.mark.parametrize(
    "name", ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "pids.max"]
)
def test_a_limit_that_does_not_read_back_is_refused(v1: Recording, name: str) -> None:
    """No environment runs with a limit that the kernel did not take."""
    v1.write(name, "268435456000\n")
    with pytest.raises(LimitNotEnforced, match=f"{name}: wrote [0-9]+, the kernel holds"):
        v1.create()


def test_a_limit_below_what_is_in_use_is_a_memory_error(
    v1: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EBUSY means that more is in use than can be reclaimed."""
    group = v1.create()

    def busy(path: str, value: int) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)

    monkeypatch.setattr(cgroup, "write_and_verify", busy)
    with pytest.raises(MemoryError, match="limit_in_bytes: more than 1048576 bytes in use"):
        group.set_limit(1 << 20)


def test_another_refusal_stays_what_it_is(v1: Recording) -> None:
    """Only EBUSY speaks of memory in use; other errors of the kernel pass as they are."""
    group = v1.create()
    v1.replace("memory.memsw.limit_in_bytes", "/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        group.set_limit(512 << 20)


def test_a_process_joins_every_controller(v1: Recording) -> None:
    """One descriptor for each `tasks` file, to be written by the new process itself."""
    fds = v1.create().join_fds()
    assert [os.readlink(f"/proc/self/fd/{fd}") for fd in fds] == [
        str(folder / "tasks") for folder in v1.folders
    ]


@pytest.mark.parametrize(("without", "usec"), [("pids", 136540), ("cpuacct", 0)])
def test_only_memory_is_required(tmp_path: Path, without: str, usec: int) -> None:
    """Without the pids or the cpuacct controller a group is made all the same; time is then 0."""
    recording = lay_out_v1(tmp_path, without=without)
    group = recording.create()
    assert (len(group.join_fds()), group.cpu_usec(), group.limit_bytes()) == (2, usec, LIMIT_BYTES)
    recording.close()


def test_removal_leaves_no_folder_and_no_descriptor(v1: Recording) -> None:
    """Every controller's folder goes, and every kept descriptor is closed."""
    before = len(os.listdir("/proc/self/fd"))
    v1.create()
    v1.close()
    assert [folder.exists() for folder in v1.folders] == [False, False, False]
    assert len(os.listdir("/proc/self/fd")) == before
