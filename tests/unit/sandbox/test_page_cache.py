"""Held pages: in memory and locked from `hold` to `close`, and never after. And how much of a file is in memory."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.sandbox import page_cache
from plimsoll.sandbox.page_cache import HeldPages, cached_bytes, cached_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 4096
HAS_CACHESTAT = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 5)


def locked_bytes(path: Path) -> list[int]:
    """For each mapping of `path` in this process, how much of it is locked into memory (proc_pid_smaps(5))."""
    smaps = Path("/proc/self/smaps").read_text()
    found = re.findall(rf"{re.escape(str(path))}\n(?:\w+: .*\n)*?Locked: +(\d+) kB", smaps)
    return [int(kibibytes) << 10 for kibibytes in found]


def test_files_are_locked_until_they_are_let_go(tmp_path: Path) -> None:
    """All pages of each file, whatever its length, and none after `close`."""
    short, long = tmp_path / "short", tmp_path / "long"
    short.write_bytes(b"x")
    long.write_bytes(b"x" * (3 * PAGE + 1))
    held = HeldPages()
    held.hold([short, long])
    assert (locked_bytes(short), locked_bytes(long)) == ([PAGE], [4 * PAGE])
    held.close()
    assert (locked_bytes(short), locked_bytes(long)) == ([], [])


def test_a_file_is_held_once(tmp_path: Path) -> None:
    """Two runtimes that share a file, or two calls, make one mapping."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * PAGE)
    held = HeldPages()
    held.hold([file, file])
    held.hold([file])
    once = locked_bytes(file)
    held.close()
    assert once == [PAGE]


def test_closed_in_the_middle_it_holds_no_more(tmp_path: Path) -> None:
    """Ctrl-C while the files are being read in: those that come after `close` are not held, and nobody is to let go."""
    first, second = tmp_path / "first", tmp_path / "second"
    for file in (first, second):
        file.write_bytes(b"x" * PAGE)
    held = HeldPages()

    def interrupted() -> Iterator[Path]:
        yield first
        held.close()
        yield second

    held.hold(interrupted())
    assert (locked_bytes(first), locked_bytes(second)) == ([], [])


def test_an_empty_file_has_no_pages(tmp_path: Path) -> None:
    """mmap(2) refuses a length of zero, so there is nothing to hold and nothing to refuse."""
    (tmp_path / "empty").touch()
    held = HeldPages()
    held.hold([tmp_path / "empty"])
    assert locked_bytes(tmp_path / "empty") == []
    held.close()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error is the kernel's; files before it stay held until `close`."""
    file = tmp_path / "file"
    file.write_bytes(b"x")
    held = HeldPages()
    with pytest.raises(FileNotFoundError, match="gone"):
        held.hold([file, tmp_path / "gone"])
    assert locked_bytes(file) == [PAGE]
    held.close()
    assert locked_bytes(file) == []


def test_pages_that_cannot_be_locked_are_told_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RLIMIT_MEMLOCK reached: which file, the kernel's reason, and no half-held mapping."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * PAGE)
    mapped: list[bool] = []

    def refuse(address: int, length: int) -> int:
        mapped.append(str(file) in Path("/proc/self/maps").read_text())
        ctypes.set_errno(errno.ENOMEM)
        return -1

    monkeypatch.setattr(page_cache._libc, "mlock", refuse)
    with pytest.raises(OSError) as raised:
        HeldPages().hold([file])
    assert (raised.value.errno, raised.value.strerror) == (
        errno.ENOMEM,
        f"the pages of {file} cannot be held: Cannot allocate memory",
    )
    assert mapped == [True]
    assert str(file) not in Path("/proc/self/maps").read_text()


@pytest.fixture(params=["cachestat", "mincore"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to ask the kernel: that of Linux 6.5, if this one has it, and that of all before it."""
    if request.param == "mincore":
        monkeypatch.setattr(page_cache, "_CACHESTAT", -1)
    elif not HAS_CACHESTAT:
        pytest.skip("this kernel has no cachestat(2)")
    else:
        monkeypatch.delattr(page_cache, "_cached_pages")
    return str(request.param)


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder on tmpfs, of whose files every page that was written is in memory."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("length", "pages"), [(0, 0), (1, 1), (PAGE, 1), (PAGE + 1, 2), (300 * PAGE, 300)]
)
def test_what_was_just_written_is_all_there(
    in_memory: Path, way: str, length: int, pages: int
) -> None:
    """In whole pages, to the last one: what is in memory is charged by the page."""
    (in_memory / "file").write_bytes(b"x" * length)
    with (in_memory / "file").open("rb") as file:
        assert cached_bytes(file.fileno(), length) == pages * PAGE


def test_a_hole_has_no_pages(in_memory: Path, way: str) -> None:
    """What was never written is not in memory, wherever it lies in the file; asking does not bring it there."""
    with (in_memory / "sparse").open("w+b") as file:
        file.write(b"x" * 2 * PAGE)
        file.seek(1000 * PAGE)
        file.write(b"x" * PAGE)
        file.flush()
        length = file.tell()
        assert [cached_bytes(file.fileno(), length) for _ in range(2)] == [3 * PAGE] * 2


@pytest.mark.skipif(
    subprocess.run(
        ["stat", "-f", "-c", "%T", tempfile.gettempdir()], capture_output=True, check=False
    ).stdout
    in {b"tmpfs\n", b"overlayfs\n"},
    reason="needs a disk under the temporary folder: a tmpfs keeps all, and of an overlay cachestat(2) knows nothing",
)
def test_what_was_let_go_is_not_there(tmp_path: Path, way: str) -> None:
    """Pages that the kernel has dropped do not count, though they are on the disk."""
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"x" * 64 * PAGE)
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert cached_bytes(file.fileno(), 64 * PAGE) == 0
        os.pread(file.fileno(), PAGE, 0)
        assert PAGE <= cached_bytes(file.fileno(), 64 * PAGE) <= 64 * PAGE


def test_both_ways_agree(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in memory in parts is the same to both."""
    with (in_memory / "file").open("w+b") as file:
        for page in range(0, 100, 3):
            file.seek(page * PAGE)
            file.write(b"x")
        file.flush()
        length = file.tell()
        newer = cached_bytes(file.fileno(), length)
        monkeypatch.setattr(page_cache, "_CACHESTAT", -1)
        assert newer == cached_bytes(file.fileno(), length) == 34 * PAGE


def test_cached_ranges(in_memory: Path) -> None:
    """Each run of pages that is in memory, by where it begins and how long it is: holes lie between them."""
    with (in_memory / "file").open("wb") as file:
        for page, count in ((0, 2), (5, 1), (9, 3)):
            file.seek(page * PAGE)
            file.write(b"x" * count * PAGE)
    expected = ((0, 2 * PAGE), (5 * PAGE, PAGE), (9 * PAGE, 3 * PAGE))
    assert expected == cached_ranges(str(in_memory / "file"))


@pytest.mark.parametrize("length", [0, 10 * PAGE])
def test_of_nothing_there_are_no_ranges(in_memory: Path, length: int) -> None:
    """An empty file, and one that is a hole from end to end."""
    (in_memory / "file").touch()
    os.truncate(in_memory / "file", length)
    assert cached_ranges(str(in_memory / "file")) == ()


def test_asking_leaves_no_mapping(in_memory: Path, way: str) -> None:
    """An environment's `/tmp` can be unmounted as soon as its meter is closed."""
    (in_memory / "file").write_bytes(b"x" * 8 * PAGE)
    with (in_memory / "file").open("rb") as file:
        cached_bytes(file.fileno(), 8 * PAGE)
    assert str(in_memory) not in Path("/proc/self/maps").read_text()


def test_what_cannot_be_mapped_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A descriptor that is no file's is refused with the kernel's reason."""
    monkeypatch.setattr(page_cache, "_CACHESTAT", -1)
    read, write = os.pipe()
    with pytest.raises(OSError, match="cannot be mapped"):
        cached_bytes(read, PAGE)
    os.close(read)
    os.close(write)
