"""What `/tmp` holds, as a value."""

from __future__ import annotations

from plimsoll.model import TmpFile, TmpUsage


def test_a_file_is_alive_unless_said() -> None:
    """Only a deleted file has a process that holds it."""
    file = TmpFile("/tmp/a", 4096, 4096)
    assert (file.deleted, file.pid, file.command) == (False, None, None)


def test_usage_without_a_walk() -> None:
    """How full `/tmp` is can be told without its files."""
    usage = TmpUsage("tmpfs", 512, 4)
    assert (usage.files, usage.files_total) == ((), 0)
