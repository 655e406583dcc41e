"""What /proc tells of processes, on processes of our own."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.meter.processes import command, first_child, mapped_file_bytes, processes

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
_SET_NAME = 15
"""PR_SET_NAME of prctl(2)."""
COUNTERS_SLACK = 512 << 10
"""The kernel adds a thread's page counts up in lumps."""


@contextmanager
def zombie(*words: str | bytes) -> Iterator[int]:
    """A process that has ended and that nobody has waited for yet: it has a name, but no command line any more."""
    with subprocess.Popen(words) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield process.pid


@pytest.fixture
def ended() -> int:
    """The number of a process that is gone."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_a_command_is_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole command line with blanks between; bytes that are no text are replaced, not refused."""
    with subprocess.Popen(
        ["cat", "-", b"caf\xc3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"x\n")
        child.stdin.flush()
        child.stdout.readline()  # it runs; right after its exec the kernel has not laid its words out yet
        words = command(child.pid)
    assert words == "cat - caf\N{REPLACEMENT CHARACTER}"


def test_our_own_command_is_told_as_the_kernel_has_it() -> None:
    """No word is lost at either end."""
    words = Path("/proc/self/cmdline").read_bytes().split(b"\0")[:-1]
    assert command(os.getpid()) == b" ".join(words).decode()


def test_a_process_without_a_command_line_has_its_short_name() -> None:
    """As zombies and kernel threads do."""
    with zombie("true") as pid:
        assert command(pid) == "true"


def test_a_short_name_that_is_cut_within_a_character_is_told() -> None:
    """The kernel keeps 15 bytes, and a program may write any into them."""
    code = f"import ctypes; ctypes.CDLL(None).prctl({_SET_NAME}, b'caf\\xc3')"
    with zombie(sys.executable, "-S", "-c", code) as pid:
        assert command(pid) == "caf\N{REPLACEMENT CHARACTER}"


def test_figures_are_read_whatever_a_process_calls_itself() -> None:
    """The name is in the file of the figures, too."""
    name = Path("/proc/self/comm").read_bytes().rstrip(b"\n")
    prctl = ctypes.CDLL(None).prctl
    prctl(_SET_NAME, b"caf\xc3")
    try:
        (found,) = processes([os.getpid()])
    finally:
        prctl(_SET_NAME, name)
    assert found.anon_bytes > MIB


def test_a_process_that_has_ended_has_none_of_it(ended: int) -> None:
    """Its mapped files are 0, its command is the kernel's error, and it is left out of the list."""
    assert mapped_file_bytes(ended) == 0
    with pytest.raises(FileNotFoundError):
        command(ended)
    assert processes([ended]) == ()


def test_heap_is_anonymous_memory_and_mapped_files_are_not() -> None:
    """20 MiB of private memory, in a process that does nothing else, raise one figure by as much and not the other."""
    program = (
        "import mmap, sys; print(flush=True); sys.stdin.readline()\n"
        "m = mmap.mmap(-1, 20 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "for page in range(0, len(m), 4096): m[page] = 1\n"
        "print(flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        (before,), files_before = processes([child.pid]), mapped_file_bytes(child.pid)
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        (after,), files_after = processes([child.pid]), mapped_file_bytes(child.pid)
    assert abs(after.anon_bytes - before.anon_bytes - 20 * MIB) < MIB
    assert abs(files_after - files_before) < MIB


def test_mapped_file_pages_are_counted_when_they_are_touched(tmp_path: Path) -> None:
    """Mapping alone is free; each resident page of a file counts, in bytes."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * (8 * MIB))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        before = mapped_file_bytes(os.getpid())
        for page in range(0, len(mapped), mmap.PAGESIZE):
            mapped[page]
        after = mapped_file_bytes(os.getpid())
    assert abs(after - before - 8 * MIB) < COUNTERS_SLACK


def test_the_largest_comes_first(ended: int) -> None:
    """Whatever the order of the numbers, and whoever has ended meanwhile."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as small:
        for pids in ([small.pid, ended, os.getpid()], [os.getpid(), small.pid, ended]):
            assert [found.pid for found in processes(pids)] == [os.getpid(), small.pid]


def test_first_child() -> None:
    """Of some processes the one that a parent started first; those of other parents and dead ones do not count."""
    mine = os.getpid()
    with subprocess.Popen(["sleep", "60"]) as first, subprocess.Popen(["sleep", "60"]) as second:
        try:
            assert first_child([second.pid, first.pid, mine, 1 << 22], mine) == first.pid
            assert first_child([second.pid], mine) == second.pid
            assert first_child([first.pid, second.pid], os.getppid()) is None
        finally:
            first.kill()
            second.kill()
