"""`/tmp` by file, on a folder of the host's own tmpfs or disk, and how much of it is in memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot
from plimsoll.memory import CgroupMemory
from plimsoll.meter import tmp
from plimsoll.meter.processes import command
from plimsoll.meter.tmp import TmpMeter
from plimsoll.model import Function, TmpFile, TmpUsage

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 4096
FUNCTION = Function("f", "python3.11", "app.handler", Path("/nowhere"), tmp_mib=512)
ON_DISK = replace(FUNCTION, tmp_backing="disk")


class Box:
    """A folder in the place of a box's `/tmp`, and the meter on it."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, function: Function = FUNCTION
    ) -> None:
        self.folder = folder
        self.used_bytes = 0
        self.asked = 0
        self.processes = [os.getpid()]
        # the host's tmpfs holds others' files too, so what is used is told by the test
        monkeypatch.setattr(TmpMeter, "used_bytes", lambda _: self.used_bytes)
        self.meter = TmpMeter(str(folder), function, self.pids)

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
        """The box's processes: ourselves, unless the test says otherwise."""
        self.asked += 1
        return self.processes

    def look(self) -> dict[str, tuple[int, int]]:
        """Bytes and change by path."""
        return {file.path: (file.bytes, file.delta_bytes) for file in self.meter.look().files}


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """A folder on tmpfs, where a file's blocks are its pages."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        box = Box(Path(folder), monkeypatch)
        yield box
        box.meter.close()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """A folder in the place of a file system of its own, which is not told to forget its writes.

    On tmpfs too: there every page that was written stays cached, and so it is of a disk until something is reclaimed.
    """
    monkeypatch.setattr(tmp, "abandon_writes", lambda inside: None)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        box = Box(Path(folder), monkeypatch, ON_DISK)
        yield box
        box.meter.close()


def charged(*, shmem: int = 0, file: int = 0) -> CgroupMemory:
    """A sample with so many pages of shared memory and of page cache."""
    return CgroupMemory((shmem + file) * PAGE, 0, shmem * PAGE, file * PAGE, 0, 0)


def test_an_empty_tmp_has_no_files(box: Box) -> None:
    """Size and backing are the function's configuration."""
    assert box.meter.look() == TmpUsage("tmpfs", 512 << 20, 0, (), 0)


def test_fullness_is_the_file_systems_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Blocks taken since it was empty, in fragments (statvfs(3)): one system call, and ext4's own are nobody's."""
    free = 131072 - 5
    monkeypatch.setattr(
        os,
        "fstatvfs",
        lambda fd: os.statvfs_result((65536, 4096, 131072, free, 130000, 9, 8, 7, 0, 255)),
    )
    meter = TmpMeter(str(tmp_path), FUNCTION, list)
    assert meter.used_bytes() == 0
    free -= 67
    assert meter.used_bytes() == 67 * 4096
    meter.close()


def test_files_are_named_as_the_function_would_with_their_pages(box: Box) -> None:
    """Allocated bytes, largest first, folders within folders."""
    box.write("small", 1)
    box.write("a/b/large", 3 * PAGE + 1)
    box.write("empty", 0)
    usage = box.meter.look()
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
    (file,) = box.meter.look().files
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
        changes.append(sorted(file.delta_bytes for file in box.meter.look().files))
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
    box.processes = [process.pid]
    assert box.meter.look().files == ()


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
    usage = box.meter.look()
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


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("used", "shmem"), [(3, 5), (5, 3), (0, 3)])
def test_all_of_a_tmpfs_is_in_memory(box: Box, used: int, shmem: int, exact: bool) -> None:
    """To the page, whatever memory.stat has heard of yet; nothing of it has to be asked file by file."""
    memory = charged(shmem=shmem, file=100)
    assert box.meter.in_memory_bytes(memory, used * PAGE, exact=exact) == used * PAGE
    assert box.asked == 0


def test_of_a_disk_it_is_what_is_cached(disk: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is asked for each file: pages that it has let go of are on the disk alone."""
    disk.write("a/b/large", 8 * PAGE)
    disk.write("small", 2 * PAGE)
    assert disk.meter.in_memory_bytes(charged(file=50), 10 * PAGE, exact=True) == 10 * PAGE
    monkeypatch.setattr(tmp, "cached_bytes", lambda fd, length: os.fstat(fd).st_size // 2)
    assert disk.meter.in_memory_bytes(charged(file=50), 10 * PAGE, exact=True) == 5 * PAGE


def test_each_file_of_a_disk_is_counted_once(disk: Box, tmp_path: Path) -> None:
    """One with two names, and one that is open and has none; links, pipes and what lies elsewhere are none."""
    disk.write("file", 2 * PAGE)
    (disk.folder / "link").hardlink_to(disk.folder / "file")
    fd = disk.open_deleted("gone", 3 * PAGE)
    (tmp_path / "elsewhere").write_bytes(b"x" * PAGE)
    (disk.folder / "symlink").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(disk.folder / "pipe")
    found = disk.meter.in_memory_bytes(charged(file=50), 5 * PAGE, exact=True)
    os.close(fd)
    assert found == 5 * PAGE


@pytest.mark.parametrize("what", ["nothing", "pipe", "symlink", "folder"])
def test_what_took_a_files_place_is_not_in_memory(disk: Box, what: str) -> None:
    """Between the walk and the question a function may put anything there: it is neither waited for nor followed."""
    other = disk.write("other", PAGE)
    place = disk.folder / "file"
    if what == "pipe":
        os.mkfifo(place)
    elif what == "symlink":
        place.symlink_to(other)
    elif what == "folder":
        place.mkdir()
    folder = os.open(disk.folder, os.O_RDONLY)
    found = tmp._cached_bytes("file", folder)
    os.close(folder)
    assert found == 0


@pytest.mark.parametrize(
    ("used", "file", "expected"), [(0, 44, 0), (10, 35, 5), (10, 45, 10), (10, 20, 0)]
)
def test_without_asking_it_is_what_the_cache_has_grown_by(
    disk: Box, used: int, file: int, expected: int
) -> None:
    """All that is used, as far as the page cache holds more than it did when `/tmp` was empty."""
    disk.meter.in_memory_bytes(charged(file=30), 0)
    found = disk.meter.in_memory_bytes(charged(file=file), used * PAGE)
    assert (found, disk.asked) == (expected * PAGE, 0)


def test_a_close_look_is_what_the_next_guess_begins_with(disk: Box) -> None:
    """Once the kernel was asked, the page cache of everything else is known."""
    disk.write("file", 12 * PAGE)
    disk.meter.in_memory_bytes(charged(file=50), 12 * PAGE, exact=True)
    assert disk.meter.in_memory_bytes(charged(file=45), 20 * PAGE) == 7 * PAGE
    assert disk.meter.in_memory_bytes(charged(file=70), 20 * PAGE) == 20 * PAGE


def test_files_of_a_disk_are_named_like_any(disk: Box) -> None:
    """By allocated bytes, cached or not; the report names the backing."""
    disk.write("file", PAGE)
    usage = disk.meter.look()
    assert (usage.backing, usage.size_bytes) == ("disk", 512 << 20)
    assert [file.path for file in usage.files] == ["/tmp/file"]


@pytest.mark.parametrize(
    ("free_blocks", "synced"), [((256 << 20) // PAGE + 1, 0), ((256 << 20) // PAGE, 1), (0, 1)]
)
def test_a_host_with_room_is_not_held_up(
    disk: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_blocks: int, synced: int
) -> None:
    """Only where less than 256 MiB are left on the disk below is all that was written to `/tmp` put there at once."""
    asked: list[int] = []
    leave(free_blocks, monkeypatch)
    monkeypatch.setattr(tmp, "sync_file_system", asked.append)
    disk.meter.check_host(tmp_path)
    assert asked == descriptors_on(disk.folder) * synced


def test_a_host_that_is_full(disk: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the function wrote is lost and it cannot know: the host's error is told as such, with where to make room."""

    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    leave(0, monkeypatch)
    monkeypatch.setattr(tmp, "sync_file_system", fail)
    with pytest.raises(HostCannot) as caught:
        disk.meter.check_host(tmp_path)
    assert (caught.value.message, caught.value.mend) == (
        f"the disk of this host is full: what the function wrote to /tmp did not fit into {tmp_path} "
        "(Input/output error). Its own /tmp was not full",
        "free some space there, or set PLIMSOLL_HOME to another disk",
    )


def leave(blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the host's disk have so many blocks free."""
    space = os.statvfs_result((65536, PAGE, 1 << 20, 1 << 19, blocks, 9, 8, 7, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: space)


@pytest.mark.parametrize(("function", "told"), [(FUNCTION, 0), (ON_DISK, 1)])
def test_at_the_end_a_disk_need_not_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, function: Function, told: int
) -> None:
    """The file system is told to forget by the descriptor that was kept, which is closed then; tmpfs has no disk."""
    told_by: list[int] = []
    monkeypatch.setattr(tmp, "abandon_writes", told_by.append)
    meter = TmpMeter(str(tmp_path), function, list)
    kept = descriptors_on(tmp_path)
    meter.close()
    assert (told_by, descriptors_on(tmp_path)) == (kept * told, [])


def descriptors_on(folder: Path) -> list[int]:
    """Our own open descriptors of a folder."""
    links = Path("/proc/self/fd").iterdir()
    return [int(link.name) for link in links if link.exists() and link.samefile(folder)]
