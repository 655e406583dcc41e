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


def test_the_file_system_is_believed_over_memory_stat() -> None:
    """memory.stat lags by what processors have not handed in yet; the sum stays what the kernel said."""
    split = break_down(SAMPLE, figure_bytes=100, tmp_bytes=33)
    assert (split.tmp_bytes, split.shmem_bytes, split.total_bytes) == (33, 0, 100)


@pytest.mark.parametrize(
    ("figure_bytes", "parts"),
    [
        (100, {"anon": 40, "tmp": 15, "shmem": 30, "file": 5, "kernel": 10}),
        (107, {"anon": 47, "tmp": 15, "shmem": 30, "file": 5, "kernel": 10}),
        (58, {"anon": 0, "tmp": 15, "shmem": 30, "file": 3, "kernel": 10}),
        (50, {"anon": 0, "tmp": 15, "shmem": 30, "file": 0, "kernel": 5}),
        (20, {"anon": 0, "tmp": 15, "shmem": 5, "file": 0, "kernel": 0}),
        (14, {"anon": 0, "tmp": 14, "shmem": 0, "file": 0, "kernel": 0}),
    ],
)
def test_a_tmp_on_disk_is_page_cache(figure_bytes: int, parts: dict[str, int]) -> None:
    """What /tmp has in memory is then a part of the sample's files, and all shared memory is somebody else's."""
    split = break_down(SAMPLE, figure_bytes=figure_bytes, tmp_bytes=15, tmp_is_cache=True)
    assert {**parts, "platform": 0} == split.parts()


def test_a_tmp_on_disk_is_never_more_than_the_page_cache() -> None:
    """Its files and the charge were asked for a moment apart: the charge counts, and pages of others come on top."""
    split = break_down(
        SAMPLE, figure_bytes=100, tmp_bytes=50, tmp_is_cache=True, uncharged_file_bytes=7
    )
    assert (split.tmp_bytes, split.shmem_bytes, split.file_bytes) == (20, 30, 7)


@given(SAMPLES, SIZES, SIZES, SIZES, SIZES, st.booleans())
def test_parts_add_up_to_the_figure(
    sample: CgroupMemory, figure: int, tmp: int, uncharged: int, platform: int, cache: bool
) -> None:
    """Whatever the sample says, the sum is the figure with its two additions, and no part is negative."""
    split = break_down(
        sample,
        figure_bytes=figure,
        tmp_bytes=tmp,
        tmp_is_cache=cache,
        uncharged_file_bytes=uncharged,
        platform_bytes=platform,
    )
    assert figure + uncharged + platform == split.total_bytes
    assert min(split.parts().values()) >= 0


@given(SAMPLES, SIZES, st.booleans())
def test_tmp_gives_way_last(sample: CgroupMemory, figure: int, cache: bool) -> None:
    """`/tmp` is known exactly: it shrinks only where the figure itself is smaller."""
    tmp = sample.file_bytes if cache else sample.shmem_bytes
    split = break_down(sample, figure_bytes=figure, tmp_bytes=tmp, tmp_is_cache=cache)
    assert split.tmp_bytes == min(tmp, figure)
