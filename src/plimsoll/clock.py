"""The only clocks: monotonic for durations, wall for what people and AWS's headers read.

Rule: pure code takes a time as an argument; only acting code asks a clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def monotonic_ms() -> float:
    """Milliseconds on a clock that never jumps; only differences mean something."""
    return time.monotonic_ns() / 1e6


def epoch_ms() -> int:
    """Milliseconds since 1970-01-01 UTC, as in `Lambda-Runtime-Deadline-Ms` and log events."""
    return time.time_ns() // 1_000_000


def iso_ms(timestamp_ms: int) -> str:
    """A wall-clock time as AWS's logs write it, in UTC with milliseconds.

    >>> iso_ms(1_700_000_000_123)
    '2023-11-14T22:13:20.123Z'
    """
    moment = datetime.fromtimestamp(timestamp_ms / 1000, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{timestamp_ms % 1000:03d}Z"
