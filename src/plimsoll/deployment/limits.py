"""The ranges of a function's numbers (facts sheet C1, F2, H3)."""

from __future__ import annotations

from plimsoll.errors import CallerError

MEMORY_MIB = (128, 10240)
TMP_MIB = (512, 10240)
TIMEOUT_MAX_S = 900


def check_memory(mib: int) -> int:
    """MemorySize in MB. Raises `CallerError` out of range."""
    return _check("--memory", mib, *MEMORY_MIB, "MB")


def check_tmp(mib: int) -> int:
    """EphemeralStorage in MB. Raises `CallerError` out of range."""
    return _check("--tmp-size", mib, *TMP_MIB, "MB")


def check_timeout(seconds: float) -> float:
    """Seconds. AWS takes whole ones from 1; a fraction is taken here too, since it only makes a test shorter."""
    if not 0 < seconds <= TIMEOUT_MAX_S:
        raise CallerError(f"--timeout {seconds:g}: it is more than 0 and at most {TIMEOUT_MAX_S} s")
    return seconds


def _check(option: str, value: int, low: int, high: int, unit: str) -> int:
    if not low <= value <= high:
        raise CallerError(f"{option} {value}: it is between {low} and {high} {unit}")
    return value
