"""Version 2 on recorded kernel files, and its equality with version 1."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot, LimitNotEnforced
from plimsoll.sandbox.cgroup import Peak
from plimsoll.sandbox.cgroup_v2 import CgroupV2, enable_controllers
from tests.unit.sandbox.conftest import LIMIT_BYTES, NAME, lay_out_v1, lay_out_v2

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.sandbox.conftest import Recording


@pytest.mark.parametrize("kernel", ["linux-6.1", "linux-6.12"])
def test_both_versions_tell_the_same_of_the_same_charge(tmp_path: Path, kernel: str) -> None:
    """Whatever the kernel calls them, the figures, kills and times of one charge are equal."""
    old, new = lay_out_v1(tmp_path / "v1"), lay_out_v2(tmp_path / "v2", kernel)
    first, second = old.create(), new.create()
    assert second.memory() == first.memory()
    for read in ("usage_bytes", "limit_bytes", "oom_kills", "pids", "cpu_usec"):
        assert getattr(second, read)() == getattr(first, read)()
    old.close()
    new.close()


def test_limits_are_in_force_before_anybody_joins(v2: Recording) -> None:
    """Memory, no swap, no killing of the whole group, 1,024 processes."""
    assert v2.create().limit_bytes() == LIMIT_BYTES
    names = ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max")
    assert [v2.path(name).read_text() for name in names] == ["134217728\n", "0", "0", "1024"]


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("memory.max", "268435456000"),
        ("memory.swap.max", "4096"),
        ("memory.oom.group", "11"),
        ("pids.max", "32768"),
    ],
)
def test_a_limit_that_does_not_read_back_is_refused(v2: Recording, name: str, held: str) -> None:
    """No environment runs with a limit that the kernel did not take."""
    v2.write(name, held)
    with pytest.raises(LimitNotEnforced, match=f"{name}: wrote [0-9]+, the kernel holds"):
        v2.create()


def test_a_kernel_without_swap_has_none_to_close(v2: Recording) -> None:
    """Without memory.swap.max (no CONFIG_SWAP) the group is made all the same."""
    v2.path("memory.swap.max").unlink()
    assert v2.create().limit_bytes() == LIMIT_BYTES


@pytest.mark.parametrize(
    ("limit_bytes", "fits"), [(42790912 - 5251072, True), (42790912 - 5251072 - 4096, False)]
)
def test_a_limit_below_what_cannot_be_reclaimed_is_a_memory_error(
    v2: Recording, limit_bytes: int, fits: bool
) -> None:
    """The kernel would kill down to it; page cache, which it could drop, is not counted as in use."""
    group = v2.create()
    v2.write("memory.max", "99999999")
    if fits:
        group.set_limit(limit_bytes)
        assert group.limit_bytes() == limit_bytes
    else:
        with pytest.raises(MemoryError, match=f"more than {limit_bytes} bytes in use"):
            group.set_limit(limit_bytes)
        assert group.limit_bytes() == 99999999


def test_no_limit_is_more_than_any(v2: Recording) -> None:
    """`max` reads as more bytes than a machine has."""
    group = v2.create()
    v2.write("memory.max", "max\n")
    assert group.limit_bytes() == 1 << 63


def test_a_resettable_peak_is_the_kernels(v2: Recording) -> None:
    """Linux 6.12: each write restarts the mark for our descriptor, and what it then says is exact."""
    group = v2.create()
    assert v2.path("memory.peak").read_text().startswith("reset")
    v2.write("memory.peak", "50000000\n")
    assert group.peak() == Peak(50000000, from_kernel=True)
    v2.write("memory.peak", "")
    group.start_window()
    assert v2.path("memory.peak").read_text() == "reset"


def test_a_peak_that_only_rises_is_the_kernels_where_it_rose(
    v2: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux 5.19 to 6.11: exact in a window that went higher than all before, an upper bound in the others."""
    monkeypatch.setattr(CgroupV2, "_open_resettable_peak", lambda group: None)
    v2.write("memory.peak", "40000000\n")
    group = v2.create()
    group.start_window()
    v2.write("memory.peak", "50000000\n")
    assert group.peak() == Peak(50000000, from_kernel=True)
    group.start_window()
    v2.write("memory.current", "30000000\n")
    assert group.peak() == Peak(30000000, from_kernel=False, at_most_bytes=50000000)


def test_without_memory_peak_it_is_the_highest_seen(v2: Recording) -> None:
    """Before Linux 5.19: a sampler's figure, told as one."""
    v2.path("memory.peak").unlink()
    group = v2.create()
    v2.write("memory.current", "60000000\n")
    assert group.usage_bytes() == 60000000
    v2.write("memory.current", "70000000\n")
    assert group.memory().usage_bytes == 70000000
    v2.write("memory.current", "50000000\n")
    assert group.peak() == Peak(70000000, from_kernel=False)
    group.start_window()
    assert group.peak() == Peak(50000000, from_kernel=False)


def test_a_kill_is_counted_from_the_events(v2: Recording) -> None:
    """`oom_kill` of memory.events, not `oom`, which also counts kills that found nobody."""
    group = v2.create()
    v2.write("memory.events", "low 0\nhigh 0\nmax 90\noom 7\noom_kill 2\noom_group_kill 0\n")
    assert group.oom_kills() == 2


def test_without_a_cpu_controller_time_is_zero(v2: Recording) -> None:
    """cpu.stat is wanted, not needed."""
    group = v2.create()
    v2.path("cpu.stat").unlink()
    assert group.cpu_usec() == 0


def test_a_process_joins_by_the_folder(v2: Recording) -> None:
    """clone3(2) takes a descriptor of the group's folder."""
    (fd,) = v2.create().join_fds()
    assert os.readlink(f"/proc/self/fd/{fd}") == str(v2.folders[0])


def test_controllers_are_handed_down_all_the_way(v2: Recording) -> None:
    """Each folder from the root to the run enables them; the last written is `cpu`, which is wanted only."""
    v2.create()
    parents = v2.folders[0].parents[:3]
    assert [(parent / "cgroup.subtree_control").read_text() for parent in parents] == ["+cpu"] * 3


@pytest.mark.parametrize("missing", ["memory", "pids"])
def test_a_controller_that_is_not_offered_is_named(tmp_path: Path, missing: str) -> None:
    """A container without delegation: which controller it lacks, and what would give it."""
    offered = {"cpu", "memory", "pids"} - {missing}
    (tmp_path / "cgroup.controllers").write_text(" ".join(sorted(offered)))
    with pytest.raises(HostCannot) as raised:
        enable_controllers(str(tmp_path))
    assert raised.value.message == f"{tmp_path} does not offer the {missing} controller"
    assert raised.value.mend == (
        "start the host or container with cgroup delegation; see `plimsoll doctor`"
    )
    assert not (tmp_path / "cgroup.subtree_control").exists()


def test_a_folder_that_may_not_hand_on_is_named(tmp_path: Path) -> None:
    """A folder with processes of its own refuses the write: the kernel's reason and a scope of one's own."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "cgroup.subtree_control").symlink_to("/dev/full")
    with pytest.raises(HostCannot) as raised:
        enable_controllers(str(tmp_path))
    assert raised.value.message == (
        f"{tmp_path} cannot hand on the memory controller: No space left on device"
    )
    assert raised.value.mend == (
        "run in a scope of its own: systemd-run --scope -p Delegate=yes plimsoll …"
    )


def test_the_parents_are_made_from_the_outside_inwards(tmp_path: Path) -> None:
    """The root's refusal is met first, before any limit is written."""
    recording = lay_out_v2(tmp_path)
    (tmp_path / "cgroup.controllers").write_text("cpu\n")
    with pytest.raises(HostCannot, match=f"{tmp_path} does not offer the memory controller"):
        CgroupV2(str(tmp_path), NAME, LIMIT_BYTES)
    assert recording.path("memory.max").read_text() == "268435456\n"


@pytest.mark.parametrize("peak_file", [None, "/dev/full"])
def test_removal_leaves_no_folder_and_no_descriptor(v2: Recording, peak_file: str | None) -> None:
    """The group's folder goes, and every descriptor is closed, also that of a peak that cannot be reset."""
    before = len(os.listdir("/proc/self/fd"))
    if peak_file is not None:
        v2.replace("memory.peak", peak_file)
    v2.create()
    v2.close()
    assert not v2.folders[0].exists()
    assert len(os.listdir("/proc/self/fd")) == before
