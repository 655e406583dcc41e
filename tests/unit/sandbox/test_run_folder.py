"""A run's folder is its own while it lives, and anybody's to sweep when it is dead."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot
from plimsoll.sandbox.run_folder import run_folder, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWNER = """
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def owner_of(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock of `folder`."""
    folder.mkdir(parents=True)
    command = (sys.executable, "-S", "-c", OWNER, str(folder / "lock"))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield process
        process.kill()


def test_a_living_run_is_left_alone_and_a_killed_one_is_swept(tmp_path: Path) -> None:
    """The lock alone decides, and the kernel drops it however its owner dies."""
    removed: list[str] = []
    folder = tmp_path / "4711-5eed"
    with owner_of(folder) as process:
        assert sweep(removed.append, tmp_path) == []
        assert folder.is_dir()
        process.kill()
        process.wait()
        assert sweep(removed.append, tmp_path) == ["4711-5eed"]
    assert removed == ["4711-5eed"]
    assert list(tmp_path.iterdir()) == []


def test_cgroups_go_before_the_folder_that_names_them(tmp_path: Path) -> None:
    """A sweep that is itself killed half-way leaves the name, so that the next one finds the rest."""
    (tmp_path / "1-dead").mkdir()
    (tmp_path / "1-dead" / "lock").touch()
    there: list[bool] = []
    sweep(lambda run: there.append((tmp_path / run).is_dir()), tmp_path)
    assert there == [True]


def test_a_folder_without_a_lock_has_no_owner(tmp_path: Path) -> None:
    """Its owner was removing it when it died."""
    (tmp_path / "2-dead" / "boxes").mkdir(parents=True)
    (tmp_path / "1-dead").mkdir()
    assert sweep(lambda run: None, tmp_path) == ["1-dead", "2-dead"]


def test_what_is_no_run_is_left_alone(tmp_path: Path) -> None:
    """Only names that begin with a process number are runs; one that is being made is hidden."""
    making = f".{os.getpid()}-5eed"
    for name in ("notes", making):
        (tmp_path / name).mkdir()
    assert sweep(lambda run: None, tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([making, "notes"])


def test_one_whose_maker_died_is_swept(tmp_path: Path) -> None:
    """Killed between making its folder and giving it its name, a run has left that folder only."""
    (tmp_path / ".0-5eed").mkdir()
    assert sweep(lambda run: None, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_missing_parent_has_nothing_to_sweep(tmp_path: Path) -> None:
    """The first start on a host."""
    assert sweep(lambda run: None, tmp_path / "plimsoll") == []


def test_a_run_has_a_locked_folder_of_its_own_and_leaves_nothing(tmp_path: Path) -> None:
    """Named for its process, never swept while it lives; gone afterwards, with its cgroups and an empty parent."""
    removed: list[str] = []
    parent = tmp_path / "run" / "plimsoll"
    with run_folder(removed.append, parent) as folder:
        assert folder.parent == parent
        assert folder.name.startswith(f"{os.getpid()}-")
        assert [path.name for path in parent.iterdir()] == [folder.name]
        assert [path.name for path in folder.iterdir()] == ["lock"]
        assert sweep(removed.append, parent) == []
        assert removed == []
        (folder / "template").mkdir()
    assert removed == [folder.name]
    assert not parent.exists()


def test_two_runs_of_one_process_differ(tmp_path: Path) -> None:
    """The second neither sweeps the first nor takes the parent from it."""
    with run_folder(lambda run: None, tmp_path / "p") as first:
        with run_folder(lambda run: None, tmp_path / "p") as second:
            assert first != second
        assert (first.is_dir(), second.exists()) == (True, False)


def test_an_error_inside_ends_a_run_like_any_end(tmp_path: Path) -> None:
    """The folder and the cgroups go, the error comes through."""
    removed: list[str] = []

    def run() -> None:
        with run_folder(removed.append, tmp_path / "p"):
            raise KeyError("from inside")

    with pytest.raises(KeyError, match="from inside"):
        run()
    assert len(removed) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_dead_are_swept_at_the_start(tmp_path: Path) -> None:
    """Whoever starts next cleans up after a killed run."""
    (tmp_path / "1-dead").mkdir()
    removed: list[str] = []
    with run_folder(removed.append, tmp_path):
        assert removed == ["1-dead"]
        assert not (tmp_path / "1-dead").exists()


def test_a_parent_that_another_run_takes_away_is_made_again(tmp_path: Path) -> None:
    """A run that ends removes the empty parent, perhaps just while another one sweeps."""
    parent = tmp_path / "plimsoll"
    (parent / "1-dead").mkdir(parents=True)
    with run_folder(lambda run: shutil.rmtree(parent, ignore_errors=True), parent) as folder:
        assert (folder / "lock").is_file()


def test_a_parent_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The message names the folder and the kernel's reason, and says what gives the right."""
    (tmp_path / "run").write_text("not a folder")
    parent = tmp_path / "run" / "plimsoll"
    with pytest.raises(HostCannot) as raised, run_folder(lambda run: None, parent):
        pass
    assert raised.value.message == f"{parent} cannot be made: Not a directory"
    assert raised.value.mend == "run plimsoll as root (sudo)"
