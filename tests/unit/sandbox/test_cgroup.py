"""What both versions share: limits that are read back, folders that are made and removed."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot, LimitNotEnforced
from plimsoll.sandbox.cgroup import make_folder, read_text, remove_tree, write_and_verify

if TYPE_CHECKING:
    from pathlib import Path


def test_a_limit_that_is_held_passes(tmp_path: Path) -> None:
    """What was written and reads back is in force."""
    file = tmp_path / "pids.max"
    file.write_text("")
    write_and_verify(str(file), 1024)
    assert file.read_text() == "1024"


def test_a_limit_that_is_not_held_is_refused(tmp_path: Path) -> None:
    """The message names the file, what was written and what the kernel made of it."""
    file = tmp_path / "memory.max"
    file.write_text("134217728\n")
    with pytest.raises(LimitNotEnforced) as raised:
        write_and_verify(str(file), 4095)
    assert raised.value.message == (
        f"{file}: wrote 4095, the kernel holds 409517728; no environment is run without its limit"
    )


def test_a_write_that_vanishes_is_refused(tmp_path: Path) -> None:
    """A file that takes the write and holds nothing is no limit."""
    with pytest.raises(LimitNotEnforced, match="wrote 4096, the kernel holds ;"):
        write_and_verify("/dev/null", 4096)


def test_a_refused_write_is_the_kernels_error() -> None:
    """The caller decides what the kernel's refusal means."""
    with pytest.raises(OSError, match="No space left on device"):
        write_and_verify("/dev/full", 4096)


def test_a_kept_descriptor_reads_from_the_start_each_time(tmp_path: Path) -> None:
    """`pread` at 0: the position does not move, the text is of now."""
    file = tmp_path / "memory.stat"
    file.write_text("anon 1\n")
    fd = os.open(file, os.O_RDONLY)
    first = read_text(fd)
    file.write_text("anon 22\n")
    second = read_text(fd)
    os.close(fd)
    assert (first, second) == (b"anon 1\n", b"anon 22\n")


def test_a_cgroup_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The message names the folder, the kernel's reason and the right that is missing."""
    (tmp_path / "memory").write_text("not a folder")
    with pytest.raises(HostCannot) as raised:
        make_folder(f"{tmp_path}/memory/plimsoll/1")
    assert raised.value.message == (
        f"the cgroup {tmp_path}/memory/plimsoll/1 cannot be made: Not a directory"
    )
    assert raised.value.mend == "run plimsoll as root (sudo), or see `plimsoll doctor`"


def test_an_empty_tree_is_removed_at_once(tmp_path: Path) -> None:
    """Groups below go first; with no patience at all an idle tree goes too."""
    (tmp_path / "run" / "1" / "below").mkdir(parents=True)
    (tmp_path / "run" / "2").mkdir()
    remove_tree(str(tmp_path / "run"), patience_s=0)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_tree_is_fine(tmp_path: Path) -> None:
    """Somebody else removed it: nothing to do."""
    remove_tree(str(tmp_path / "gone"))
    assert list(tmp_path.iterdir()) == []


def test_what_still_lives_in_it_is_killed_and_a_busy_one_is_told(tmp_path: Path) -> None:
    """Each process of the group is killed; a group that stays busy is named with the way to look into it."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        (tmp_path / "cgroup.procs").write_text(f"{child.pid}\n")
        with pytest.raises(HostCannot) as raised:
            remove_tree(str(tmp_path), patience_s=0)
        assert child.wait() == -signal.SIGKILL
    assert raised.value.message == f"the cgroup {tmp_path} is still busy"
    assert raised.value.mend == f"cat {tmp_path}/cgroup.procs; kill those"


def test_a_process_of_another_namespace_is_not_taken_for_our_own_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel shows such a process as 0, and kill(2) of 0 is a signal to everybody around us."""
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    (tmp_path / "cgroup.procs").write_text("0\n4711\n0\n")
    with pytest.raises(HostCannot, match="still busy"):
        remove_tree(str(tmp_path), patience_s=0)
    assert killed == [(4711, 9)]
