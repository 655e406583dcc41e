"""`/tmp` by file, on a folder of the host's own tmpfs."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.meter import tmp
from plimsoll.meter.processes import command
from plimsoll.meter.tmp import TmpMeter
from plimsoll.model import Function, TmpFile, TmpUsage

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 4096
FUNCTION = Function("f", "python3.11", "app.handler", Path("/nowhere"), tmp_mib=512)


class Box:
    """A folder in the place of a box's `/tmp`, and the meter on it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.meter = TmpMeter(str(folder), FUNCTION)
        self.used_bytes = 0
        self.asked = 0
        # the host's tmpfs holds others' files too, so what is used is told by the test
        monkeypatch.setattr(TmpMeter, "used_bytes", lambda _: self.used_bytes)

    def write(self, name: str, length: int) -> Path:
        """A file of so many bytes."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * length)
        return path

    def open_deleted(self, name: str, length: int) -> int:
        """A file of so many bytes that is open and has no name any more."""
        path = self.write(name, length)
        fd = os.open(path, os.O_RDWR)
        path.unlink()
        return fd

    def pids(self) -> list[int]:
        """The box's processes: ourselves."""
        self.asked += 1
        return [os.getpid()]

    def look(self) -> dict[str, tuple[int, int]]:
        """Bytes and change by path."""
        return {
            file.path: (file.bytes, file.delta_bytes) for file in self.meter.look(self.pids).files
        }


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """A folder on tmpfs, where a file's blocks are its pages."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        box = Box(Path(folder), monkeypatch)
        yield box
        box.meter.close()


def test_an_empty_tmp_has_no_files(box: Box) -> None:
    """Size and backing are the function's configuration."""
    assert box.meter.look(box.pids) == TmpUsage("tmpfs", 512 << 20, 0, (), 0)


def test_fullness_is_the_file_systems_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Blocks that are not free, in fragments (statvfs(3)): one system call, however many files."""
    meter = TmpMeter(str(tmp_path), FUNCTION)
    blocks = os.statvfs_result((65536, 4096, 131072, 131000, 130000, 9, 8, 7, 0, 255))
    monkeypatch.setattr(os, "fstatvfs", lambda fd: blocks)
    assert meter.used_bytes() == 72 * 4096
    meter.close()


def test_files_are_named_as_the_function_would_with_their_pages(box: Box) -> None:
    """Allocated bytes, largest first, folders within folders."""
    box.write("small", 1)
    box.write("a/b/large", 3 * PAGE + 1)
    box.write("empty", 0)
    usage = box.meter.look(box.pids)
    assert usage.files == (
        TmpFile("/tmp/a/b/large", 4 * PAGE, 4 * PAGE),
        TmpFile("/tmp/small", PAGE, PAGE),
        TmpFile("/tmp/empty", 0, 0),
    )
    assert usage.files_total == 3


def test_a_change_is_since_the_last_look(box: Box) -> None:
    """Grown, shrunk, the same, replaced under its name, new; what is gone is not listed."""
    for name in ("grown", "shrunk", "same", "replaced", "gone"):
        box.write(name, 2 * PAGE)
    box.look()
    box.write("grown", 5 * PAGE)
    box.write("shrunk", PAGE)
    box.write("other", 3 * PAGE).rename(box.folder / "replaced")
    box.write("new", PAGE)
    (box.folder / "gone").unlink()
    assert box.look() == {
        "/tmp/grown": (5 * PAGE, 3 * PAGE),
        "/tmp/replaced": (3 * PAGE, PAGE),
        "/tmp/same": (2 * PAGE, 0),
        "/tmp/shrunk": (PAGE, -PAGE),
        "/tmp/new": (PAGE, PAGE),
    }


def test_only_data_counts_and_only_once(box: Box) -> None:
    """Holes hold nothing, a hard link is the same file, links, pipes and folders are none."""
    with (box.folder / "sparse").open("wb") as file:
        file.seek(100 * PAGE)
        file.write(b"x")
    box.write("file", PAGE)
    (box.folder / "link").hardlink_to(box.folder / "file")
    (box.folder / "symlink").symlink_to("file")
    (box.folder / "folder").mkdir()
    os.mkfifo(box.folder / "pipe")
    found = box.look()
    assert found.pop("/tmp/sparse") == (PAGE, PAGE)
    ((name, sizes),) = found.items()
    assert name in {"/tmp/file", "/tmp/link"}
    assert sizes == (PAGE, PAGE)


def test_links_lead_nowhere(box: Box, tmp_path: Path) -> None:
    """A link to a folder elsewhere names none of its files."""
    (tmp_path / "secret").write_bytes(b"x" * PAGE)
    (box.folder / "out").symlink_to(tmp_path)
    assert box.look() == {}


def test_a_name_of_any_bytes_can_be_reported(box: Box) -> None:
    """What is not UTF-8 is shown as escapes, and the file is the same one at the next look."""
    path = os.fsencode(box.folder) + b"/caf\xc3\xa9-\xff"
    Path(os.fsdecode(path)).write_bytes(b"x")
    assert box.look() == {"/tmp/café-\\xff": (PAGE, PAGE)}
    assert box.look() == {"/tmp/café-\\xff": (PAGE, 0)}


def test_folders_without_end_do_not_stop_the_reader(box: Box) -> None:
    """A function may nest folders deeper than a walk can follow: what lies above is named all the same."""
    depth = 1200
    fd = os.open(box.folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    box.write("d/" * tmp.DEEPEST + "last", PAGE)
    box.write("d/" * (tmp.DEEPEST + 1) + "too-deep", PAGE)
    found = box.look()
    subprocess.run(["rm", "-rf", str(box.folder / "d")], check=True)  # Python's own cannot
    assert found == {"/tmp/" + "d/" * tmp.DEEPEST + "last": (PAGE, PAGE)}


@pytest.mark.parametrize(("hidden_bytes", "asked"), [(0, 0), (PAGE - 1, 0), (PAGE, 1)])
def test_processes_are_asked_only_when_something_is_hidden(
    box: Box, hidden_bytes: int, asked: int
) -> None:
    """Less than a page more than the files hold is nothing deleted."""
    box.write("file", 2 * PAGE)
    box.used_bytes = 2 * PAGE + hidden_bytes
    box.look()
    assert box.asked == asked


def test_a_deleted_file_that_is_still_open_is_named_with_its_holder(box: Box) -> None:
    """The name it had, its pages, who holds it, and that it is deleted."""
    fd = box.open_deleted("gone", 2 * PAGE + 1)
    box.used_bytes = 3 * PAGE
    (file,) = box.meter.look(box.pids).files
    os.close(fd)
    us = os.getpid()
    assert file == TmpFile(
        "/tmp/gone", 3 * PAGE, 3 * PAGE, deleted=True, pid=us, command=command(us)
    )


def test_deleted_files_of_one_name_are_told_apart(box: Box) -> None:
    """The same name written, opened and deleted in each invocation: each time one file more has grown from nothing."""
    fds, changes = [], []
    for _ in range(3):
        fds.append(box.open_deleted("scratch", PAGE))
        box.used_bytes += PAGE
        changes.append(sorted(file.delta_bytes for file in box.meter.look(box.pids).files))
    for fd in fds:
        os.close(fd)
    assert changes == [[PAGE], [0, PAGE], [0, 0, PAGE]]


def test_deleting_alone_is_no_growth(box: Box) -> None:
    """A file that was there at the last look and has lost its name since has not changed by that."""
    fd = os.open(box.write("file", 2 * PAGE), os.O_RDWR)
    box.used_bytes = 2 * PAGE
    box.look()
    (box.folder / "file").unlink()
    found = box.look()
    os.close(fd)
    assert found == {"/tmp/file": (2 * PAGE, 0)}


def test_a_holder_that_has_ended_holds_nothing(box: Box) -> None:
    """Its number may still be in the list that the kernel gave."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    box.used_bytes = PAGE
    assert box.meter.look(lambda: [process.pid]).files == ()


def test_files_of_other_places_are_not_ours(box: Box) -> None:
    """Deleted but open elsewhere, or in memory alone: it is not in `/tmp`."""
    fd = os.memfd_create("elsewhere")
    os.write(fd, b"x" * PAGE)
    box.used_bytes = PAGE
    found = box.look()
    os.close(fd)
    assert found == {}


def test_a_long_list_is_cut_to_what_matters(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most changed first, then the largest; the total number of files is told."""
    monkeypatch.setattr(tmp, "LISTED_MAX", 2)
    box.write("large", 9 * PAGE)
    box.write("small", PAGE)
    box.write("middle", 3 * PAGE)
    box.look()
    box.write("small", 2 * PAGE)
    usage = box.meter.look(box.pids)
    assert [file.path for file in usage.files] == ["/tmp/large", "/tmp/small"]
    assert usage.files_total == 3


def test_the_folder_is_held_whatever_becomes_of_its_path(box: Box) -> None:
    """The meter goes through its descriptor: a path that is bent afterwards leads nobody astray."""
    box.write("file", PAGE)
    moved = box.folder.with_name(box.folder.name + "-moved")
    box.folder.rename(moved)
    box.folder.symlink_to("/")
    found = box.look()
    box.folder.unlink()
    moved.rename(box.folder)
    assert found == {"/tmp/file": (PAGE, PAGE)}
