"""The kernel's own text, of both cgroup versions, to the same numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.memory import CgroupMemory, parse_flat, parse_v1, parse_v2

# As kernels print them, cut after the last line that is read
V1_STAT = b"""\
cache 52428800
rss 8192000
rss_huge 0
shmem 41943040
mapped_file 12288
hierarchical_memory_limit 134217728
total_cache 53477376
total_rss 9216000
total_rss_huge 0
total_shmem 42991616
total_mapped_file 16384
"""
V2_STAT = b"""\
anon 9216000
file 53477376
kernel 2097152
kernel_stack 98304
pagetables 401408
sec_pagetables 0
percpu 1024
sock 4096
vmalloc 8192
shmem 42991616
zswap 0
zswapped 0
file_mapped 16384
slab 1200000
"""
V2_STAT_5_15 = b"""\
anon 9216000
file 53477376
kernel_stack 98304
pagetables 401408
percpu 1024
sock 4096
shmem 42991616
file_mapped 16384
slab 1200000
"""


def test_v1() -> None:
    """Version 1 counts child cgroups in (`total_`), and its cache holds shared memory that is told apart here."""
    expected = CgroupMemory(
        usage_bytes=65_536_000,
        anon_bytes=9_216_000,
        shmem_bytes=42_991_616,
        file_bytes=10_485_760,
        kernel_bytes=2_097_152,
        mapped_file_bytes=16_384,
    )
    assert expected == parse_v1(V1_STAT, b"65536000\n", b"2097152\n")


def test_v2() -> None:
    """Version 2 counts sockets beside `kernel`, and its `file` holds shared memory too."""
    expected = CgroupMemory(
        usage_bytes=65_536_000,
        anon_bytes=9_216_000,
        shmem_bytes=42_991_616,
        file_bytes=10_485_760,
        kernel_bytes=2_101_248,
        mapped_file_bytes=16_384,
    )
    assert expected == parse_v2(V2_STAT, b"65536000\n")


def test_v1_without_huge_pages() -> None:
    """A kernel that was built without huge pages has no line for them."""
    bare = V1_STAT.replace(b"total_rss_huge 0\n", b"").replace(b"rss_huge 0\n", b"")
    assert parse_v1(bare, b"1", b"2") == parse_v1(V1_STAT, b"1", b"2")


def test_v2_of_linux_5_15() -> None:
    """Where `kernel` is missing its known parts are added up; all else reads the same."""
    kernel = 98_304 + 401_408 + 1_024 + 1_200_000 + 4_096
    expected = parse_v2(V2_STAT, b"65536000\n")._replace(kernel_bytes=kernel)
    assert expected == parse_v2(V2_STAT_5_15, b"65536000\n")


@pytest.mark.parametrize("left_out", [b"file", b"sock", b"shmem", b"file_mapped"])
def test_v2_without_a_figure(left_out: bytes) -> None:
    """A figure that every kernel prints is never taken for 0 where it is missing."""
    text = V2_STAT.replace(b"\n" + left_out + b" ", b"\nrenamed_" + left_out + b" ")
    with pytest.raises(ValueError, match=r"^memory\.stat has not the fields that are needed: b'"):
        parse_v2(text, b"65536000\n")


@pytest.mark.parametrize("left_out", [b"cache", b"rss", b"shmem", b"mapped_file"])
def test_v1_without_a_figure(left_out: bytes) -> None:
    """The same of version 1: what counts without child cgroups does not stand in for what counts with them."""
    text = V1_STAT.replace(b"total_" + left_out + b" ", b"renamed_" + left_out + b" ")
    with pytest.raises(ValueError, match=r"^memory\.stat has not the fields that are needed: b'"):
        parse_v1(text, b"65536000\n", b"2097152\n")


def test_file_is_never_negative() -> None:
    """The kernel's counters are batched per CPU: shmem may be ahead of the cache that holds it."""
    v1 = V1_STAT.replace(b"total_cache 53477376", b"total_cache 42991615")
    v2 = V2_STAT.replace(b"file 53477376", b"file 42991615")
    assert (parse_v1(v1, b"0", b"0").file_bytes, parse_v2(v2, b"0").file_bytes) == (0, 0)


@given(
    st.dictionaries(
        st.from_regex(rb"[a-z_]+", fullmatch=True), st.integers(min_value=0, max_value=1 << 63)
    )
)
def test_flat_file_reads_back(values: dict[bytes, int]) -> None:
    """Every flat-keyed file gives back all its keys and numbers."""
    assert values == parse_flat(b"".join(b"%s %d\n" % item for item in values.items()))


def test_flat_file_cut_short() -> None:
    """A key without its number is refused, not guessed."""
    with pytest.raises(ValueError, match="zip"):
        parse_flat(b"oom 1\noom_kill")
