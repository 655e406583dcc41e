"""What a limit leaves."""

from __future__ import annotations

import pytest

from plimsoll.lifecycle.timing import INIT_LIMIT_MS, left_ms


@pytest.mark.parametrize(
    ("now_ms", "left"), [(100.0, 3000.0), (600.5, 2499.5), (3100.0, 0.0), (9000.0, 0.0)]
)
def test_left_ms(now_ms: float, left: float) -> None:
    """The limit less what has gone by since the start, never below 0."""
    assert left == left_ms(3000.0, 100.0, now_ms)


def test_init_limit() -> None:
    """An on-demand init has ten seconds (facts sheet A1)."""
    assert INIT_LIMIT_MS == 10_000.0
