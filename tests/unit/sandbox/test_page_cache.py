"""Held pages: in memory and locked from `hold` to `close`, and never after."""

from __future__ import annotations

import ctypes
import errno
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.sandbox import page_cache
from plimsoll.sandbox.page_cache import HeldPages

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 4096


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
