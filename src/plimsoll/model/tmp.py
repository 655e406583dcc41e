"""What `/tmp` holds, told by file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plimsoll.model.function import TmpBacking


@dataclass(frozen=True, slots=True)
class TmpFile:
    """One file of `/tmp` after an invocation, as the function would name it."""

    path: str
    """`/tmp/…`; for a deleted file the name it had."""
    bytes: int
    """Allocated bytes (blocks, not length: a sparse file counts what it holds)."""
    delta_bytes: int
    """Change since the previous look, so in this invocation; a new file counts whole."""
    deleted: bool = False
    """Unlinked but still held open, so it still counts."""
    pid: int | None = None
    """For a deleted file: a process that holds it, as the host sees it."""
    command: str | None = None
    """For a deleted file: that process's command."""


@dataclass(frozen=True, slots=True)
class TmpUsage:
    """`/tmp` after an invocation. `files` holds the largest first and may be cut; `used_bytes` never is."""

    backing: TmpBacking
    size_bytes: int
    used_bytes: int
    files: tuple[TmpFile, ...] = ()
    files_total: int = 0
    """How many files there are; more than `len(files)` where the list was cut."""
