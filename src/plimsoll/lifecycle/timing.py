"""The times of one invocation: what a deadline leaves, and Lambda's own limits.

Source: DG/lambda-runtime-environment and DG/gettingstarted-limits (facts sheet A1, F2). Pure arithmetic.
"""

from __future__ import annotations

INIT_LIMIT_MS = 10_000.0
"""An on-demand init that takes longer is stopped and tried again inside the first invocation."""


def left_ms(limit_ms: float, started_ms: float, now_ms: float) -> float:
    """What is left of a limit, never below 0.

    >>> left_ms(3000.0, 100.0, 600.0)
    2500.0
    """
    return max(0.0, limit_ms - (now_ms - started_ms))
