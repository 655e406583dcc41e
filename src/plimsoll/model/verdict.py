"""What a run of invocations shows: does something grow, what, how fast, and what stops it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "none",
    "plateau",
    "tmp",
    "tmp-deleted-open",
    "heap",
    "processes",
    "extension",
    "shmem",
    "kernel",
    "cache",
    "inconclusive",
]
Limit = Literal["memory", "tmp"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One place that grows; whatever is known of it."""

    bytes_per_invocation: float
    path: str | None = None
    """In `/tmp`."""
    file: str | None = None
    """Of the code."""
    line: int | None = None
    function: str | None = None
    pid: int | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One part that grows and its share of the growth."""

    kind: Kind
    growth_bytes_per_invocation: float
    evidence: tuple[Evidence, ...] = ()
    """Most bytes first."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on a run."""

    kind: Kind
    growth_bytes_per_invocation: float
    causes: tuple[Cause, ...]
    """Largest share first; page cache, which is harmless, last."""
    invocations_until_limit: int | None
    """The number, counted from 1 in a fresh environment, of the first invocation that does not fit any more."""
    limit: Limit | None
    """What it hits then: the memory limit (killed) or the size of `/tmp` (ENOSPC)."""
    confidence: float
    """0 to 1."""
    advice: str
