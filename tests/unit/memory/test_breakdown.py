"""The split bends to the kernel's figure, and its parts always add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.memory import CgroupMemory, break_down
from plimsoll.model import MemoryBreakdown

SIZES = st.integers(min_value=0, max_value=1 << 34)
SAMPLES = st.builds(CgroupMemory, *[SIZES] * 6)
SAMPLE = CgroupMemory(
    usage_bytes=100,
    anon_bytes=40,
    shmem_bytes=30,
    file_bytes=20,
    kernel_bytes=10,
    mapped_file_bytes=5,
)


@pytest.mark.parametrize(
    ("figure_bytes", "parts"),
    [
        (100, {"anon": 40, "tmp": 25, "shmem": 5, "file": 20, "kernel": 10}),
        (107, {"anon": 47, "tmp": 25, "shmem": 5, "file": 20, "kernel": 10}),
        (61, {"anon": 1, "tmp": 25, "shmem": 5, "file": 20, "kernel": 10}),
        (55, {"anon": 0, "tmp": 25, "shmem": 5, "file": 15, "kernel": 10}),
        (35, {"anon": 0, "tmp": 25, "shmem": 5, "file": 0, "kernel": 5}),
        (28, {"anon": 0, "tmp": 25, "shmem": 3, "file": 0, "kernel": 0}),
        (24, {"anon": 0, "tmp": 24, "shmem": 0, "file": 0, "kernel": 0}),
        (0, {"anon": 0, "tmp": 0, "shmem": 0, "file": 0, "kernel": 0}),
    ],
)
def test_difference_between_figure_and_sample(figure_bytes: int, parts: dict[str, int]) -> None:
    """More than the sample knows is anon; less is taken from anon, file, kernel, shmem and last from tmp."""
    split = break_down(SAMPLE, figure_bytes=figure_bytes, tmp_bytes=25)
    assert {**parts, "platform": 0} == split.parts()


def test_additions_come_on_top() -> None:
    """File pages that others paid for and the platform's constant are added to the figure, not split from it."""
    split = break_down(
        SAMPLE, figure_bytes=100, tmp_bytes=0, uncharged_file_bytes=7, platform_bytes=3
    )
    expected = MemoryBreakdown(
        anon_bytes=40, shmem_bytes=30, file_bytes=27, kernel_bytes=10, platform_bytes=3
    )
    assert (expected, 110) == (split, split.total_bytes)


def test_tmp_is_never_more_than_shmem() -> None:
    """What statvfs says and what was charged may be a moment apart: the charge counts."""
    split = break_down(SAMPLE, figure_bytes=100, tmp_bytes=31)
    assert (split.tmp_bytes, split.shmem_bytes) == (30, 0)


@given(SAMPLES, SIZES, SIZES, SIZES, SIZES)
def test_parts_add_up_to_the_figure(
    sample: CgroupMemory, figure: int, tmp: int, uncharged: int, platform: int
) -> None:
    """Whatever the sample says, the sum is the figure with its two additions, and no part is negative."""
    split = break_down(
        sample,
        figure_bytes=figure,
        tmp_bytes=tmp,
        uncharged_file_bytes=uncharged,
        platform_bytes=platform,
    )
    assert figure + uncharged + platform == split.total_bytes
    assert min(split.parts().values()) >= 0


@given(SAMPLES, SIZES)
def test_tmp_gives_way_last(sample: CgroupMemory, figure: int) -> None:
    """`/tmp` is known exactly: it shrinks only where the figure itself is smaller."""
    split = break_down(sample, figure_bytes=figure, tmp_bytes=sample.shmem_bytes)
    assert split.tmp_bytes == min(sample.shmem_bytes, figure)
