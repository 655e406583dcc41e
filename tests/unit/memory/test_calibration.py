"""The platform's constant and the figures of AWS's that it answers to."""

from __future__ import annotations

from plimsoll.memory import HELLO_WORLD_MIB, PLATFORM_BYTES
from plimsoll.memory.calibration import TOLERANCE

MIB = 1 << 20
SMALLEST_MIB = 128
"""MemorySize's lower bound."""


def test_the_platforms_part() -> None:
    """14.5 MiB, in whole pages, as the limit of a cgroup is kept."""
    assert PLATFORM_BYTES == 14.5 * MIB
    assert PLATFORM_BYTES % 4096 == 0


def test_it_is_what_a_program_that_does_nothing_reports() -> None:
    """A static program has next to nothing of its own: the constant is within the tolerance of all of it, and below."""
    nothing = HELLO_WORLD_MIB["provided.al2023"]
    assert nothing * (1 - TOLERANCE) <= PLATFORM_BYTES / MIB < nothing


def test_a_tenth_is_as_near_as_promised() -> None:
    """Hello-world comes within 10 % of AWS's own figure."""
    assert TOLERANCE == 0.10


def test_hello_world_fits_into_the_smallest_function() -> None:
    """On AWS it does at 128 MB, for each runtime, beside the platform's part."""
    assert {
        name: mib
        for name, mib in HELLO_WORLD_MIB.items()
        if not PLATFORM_BYTES / MIB < mib < SMALLEST_MIB
    } == {}


def test_the_table_is_what_aws_reported() -> None:
    """The medians of its source, which a change of ours never moves."""
    assert HELLO_WORLD_MIB == {
        "python3.11": 34.0,
        "python3.12": 36.4,
        "python3.13": 36.0,
        "nodejs20.x": 67.0,
        "nodejs22.x": 74.1,
        "nodejs24.x": 76.1,
        "provided.al2023": 15.1,
    }
