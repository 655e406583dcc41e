"""The clocks, and time as AWS's logs write it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll import clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timestamp_ms", "written"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_007, "2023-11-14T22:13:20.007Z"),
        (1_772_323_199_999, "2026-02-28T23:59:59.999Z"),
    ],
)
def test_iso_ms(timestamp_ms: int, written: str) -> None:
    """UTC with three digits of milliseconds and a Z."""
    assert written == clock.iso_ms(timestamp_ms)


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_iso_ms_loses_nothing(timestamp_ms: int) -> None:
    """What was written reads back as the same millisecond, for every one until the year 2100."""
    read = datetime.fromisoformat(clock.iso_ms(timestamp_ms))
    assert timestamp_ms == (read - EPOCH) // timedelta(milliseconds=1)


def test_epoch_ms_is_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole milliseconds of the wall clock, cut rather than rounded."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_123_999_999)
    assert clock.epoch_ms() == 1_700_000_000_123


def test_monotonic_ms_is_the_steady_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Milliseconds of the clock that never jumps, with their fraction."""
    monkeypatch.setattr(time, "monotonic_ns", lambda: 1_234_567_890)
    assert clock.monotonic_ms() == 1234.56789
