"""The ranges of a function's numbers (facts sheet C1, F2, H3)."""

from __future__ import annotations

from typing import TypeVar

from plimsoll.errors import CallerError

Number = TypeVar("Number", int, float)
MEMORY_MIB = (128, 10240)
TMP_MIB = (512, 10240)
TIMEOUT_S = (0.01, 900)
"""The least is what Lambda's own texts can tell: they have two decimals."""
INTERVAL_S = (0, 86400)


def check_memory(mib: int) -> int:
    """MemorySize in MB. Raises `CallerError` out of range."""
    return _check("--memory", mib, *MEMORY_MIB, "MB")


def check_tmp(mib: int) -> int:
    """EphemeralStorage in MB. Raises `CallerError` out of range."""
    return _check("--tmp-size", mib, *TMP_MIB, "MB")


def check_timeout(seconds: float) -> float:
    """Seconds. AWS takes whole ones from 1; a fraction is taken here too, since it only makes a test shorter."""
    return _check("--timeout", seconds, *TIMEOUT_S, "s")


def check_interval(seconds: float) -> float:
    """The pause between invocations, in seconds. Raises `CallerError` out of range."""
    return _check("--interval", seconds, *INTERVAL_S, "s")


def _check(option: str, value: Number, low: float, high: float, unit: str) -> Number:
    if not low <= value <= high:  # NaN is in no range
        raise CallerError(f"{option} {value:.10g}: it is between {low} and {high} {unit}")
    return value
