"""The parts of a memory figure add up to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model import MemoryBreakdown

SIZES = st.integers(min_value=0, max_value=1 << 40)


def test_parts_by_their_short_names() -> None:
    """Parts are named as the JSON and the charts name them, in the order of stacking."""
    split = MemoryBreakdown(1, 2, 3, 4, 5, 6)
    expected = {"anon": 1, "tmp": 2, "shmem": 3, "file": 4, "kernel": 5, "platform": 6}
    assert (expected, list(expected)) == (split.parts(), list(split.parts()))


@given(st.tuples(*[SIZES] * 6))
def test_total_is_the_sum_of_all_parts(sizes: tuple[int, ...]) -> None:
    """No part is left out of the figure, and none counts twice."""
    assert MemoryBreakdown(*sizes).total_bytes == sum(sizes)


def test_frozen() -> None:
    """A figure that was measured once cannot change on its way to a renderer."""
    with pytest.raises(AttributeError):
        MemoryBreakdown().anon_bytes = 1  # type: ignore[misc]
