"""Both peaks of an environment, the split nearest to them, and what the meter does not do on the invoke path."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.memory import PLATFORM_BYTES
from plimsoll.meter import Meter
from plimsoll.meter import meter as meter_module
from plimsoll.model import TmpUsage
from plimsoll.sandbox.cgroup import Peak
from plimsoll.testing import FakeCgroup
from tests.unit.meter.conftest import FUNCTION, KIB, MIB, PID, ROOM, figure, split

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plimsoll.meter import Measurement
    from plimsoll.model.memory import Accounting
    from tests.unit.meter.conftest import Bench

ON_DISK = replace(FUNCTION, tmp_backing="disk")


def mapped(monkeypatch: pytest.MonkeyPatch, size_bytes: int) -> None:
    """Lets every process have this much of files mapped."""
    monkeypatch.setattr(meter_module, "first_child", lambda pids, parent: parent)
    monkeypatch.setattr(meter_module, "mapped_file_bytes", lambda pid: size_bytes)


@pytest.mark.parametrize("exact", [True, False])
async def test_both_peaks(bench: Bench, exact: bool) -> None:
    """The environment's stays at the highest; an invocation's own is its own; parts add up to the environment's."""
    bench.begin()
    up_and_down = [{"anon_bytes": 30 * MIB}, {"anon_bytes": 10 * MIB}]
    first = bench.invoke(*up_and_down, exact=exact)
    second = bench.invoke({"anon_bytes": 20 * MIB}, exact=exact)
    high = figure(30 * MIB)
    assert (first.peak_bytes, first.invocation_peak_bytes) == (high, high)
    assert (second.peak_bytes, second.invocation_peak_bytes) == (high, figure(20 * MIB))
    assert (first.memory.total_bytes, second.memory.total_bytes) == (high, high)
    assert second.at_end == split(anon_bytes=20 * MIB)


async def test_init_counts_for_the_environment_only(bench: Bench) -> None:
    """What init needed for a moment is in Max Memory Used, not in the first invocation's own peak."""
    bench.begin(anon_bytes=50 * MIB)
    bench.cgroup.charge(anon_bytes=10 * MIB)
    measured = bench.invoke({"anon_bytes": 20 * MIB})
    peaks = (measured.peak_bytes, measured.invocation_peak_bytes)
    assert peaks == (figure(50 * MIB), figure(20 * MIB))


async def test_a_reset_begins_anew_with_what_tmp_holds(bench: Bench) -> None:
    """New processes start a new high-water mark at what is in use then."""
    bench.begin()
    bench.fill_tmp(10 * MIB)
    bench.invoke({"anon_bytes": 90 * MIB})
    bench.cgroup.charge(anon_bytes=0)
    bench.begin(anon_bytes=5 * MIB)
    measured = bench.invoke()
    assert measured.peak_bytes == figure(15 * MIB)
    assert measured.memory == split(anon_bytes=5 * MIB, tmp_bytes=10 * MIB)


async def test_the_split_is_of_the_highest_sample(bench: Bench) -> None:
    """A sample in the middle tells what the peak was made of; what no sample saw goes to the heap."""
    bench.begin(file_bytes=40 * MIB)
    bench.meter.start_window()
    bench.cgroup.charge(anon_bytes=30 * MIB, kernel_bytes=4 * MIB)
    await bench.time.advance(0.011)
    bench.cgroup.charge(anon_bytes=33 * MIB)
    bench.cgroup.charge(anon_bytes=MIB, kernel_bytes=MIB)
    measured = bench.meter.finish(exact=True)
    assert measured.peak_bytes == figure(77 * MIB)
    assert measured.memory == split(anon_bytes=33 * MIB, file_bytes=40 * MIB, kernel_bytes=4 * MIB)
    assert measured.at_end == split(anon_bytes=MIB, file_bytes=40 * MIB, kernel_bytes=MIB)


async def test_a_peak_above_all_samples_goes_to_files_first(bench: Bench) -> None:
    """What lies in `/tmp` at the end was there at a peak that nobody saw; only what is beyond that is heap."""
    bench.begin(file_bytes=40 * MIB)
    bench.meter.start_window()
    bench.cgroup.charge(anon_bytes=30 * MIB)
    await bench.time.advance(0.011)
    bench.fill_tmp(20 * MIB)
    bench.cgroup.charge(anon_bytes=32 * MIB)
    bench.cgroup.charge(anon_bytes=MIB)
    measured = bench.meter.finish(exact=True)
    assert measured.peak_bytes == figure(92 * MIB)
    assert measured.memory == split(anon_bytes=32 * MIB, tmp_bytes=20 * MIB, file_bytes=40 * MIB)


async def test_at_an_equal_height_the_later_split_counts(bench: Bench) -> None:
    """At the limit the figure stands still while /tmp goes on displacing page cache."""
    bench.begin(anon_bytes=20 * MIB, file_bytes=ROOM - 20 * MIB)
    before = bench.invoke()
    bench.cgroup.charge(file_bytes=ROOM - 30 * MIB)
    bench.fill_tmp(10 * MIB)
    after = bench.invoke()
    assert (before.peak_bytes, after.peak_bytes) == (128 * MIB, 128 * MIB)
    assert after.memory == split(
        anon_bytes=20 * MIB, tmp_bytes=10 * MIB, file_bytes=ROOM - 30 * MIB
    )


async def test_the_sampler_slows_down_as_the_invocation_grows_old(bench: Bench) -> None:
    """10 ms, then a third longer each time, 100 ms at most; none once the invocation is over."""
    bench.begin()
    bench.meter.start_window()
    intervals_ms = [10.0]
    while intervals_ms[-1] < 100:
        intervals_ms.append(min(100.0, intervals_ms[-1] * 1.3))
    for interval_ms in [*intervals_ms, 100.0]:
        before = bench.cgroup.samples
        await bench.time.advance((interval_ms - 0.5) / 1000)
        assert bench.cgroup.samples == before
        await bench.time.advance(1.0 / 1000)
        assert bench.cgroup.samples == before + 1
    bench.meter.finish(exact=True)
    before = bench.cgroup.samples
    await bench.time.advance(5.0)
    assert bench.cgroup.samples == before


async def test_each_invocation_is_sampled_closely_at_first(bench: Bench) -> None:
    """The second one's first sample comes after 10 ms again, however long the first one ran."""
    bench.begin()
    bench.meter.start_window()
    for _ in range(20):
        await bench.time.advance(0.2)
    bench.meter.finish(exact=True)
    bench.meter.start_window()
    before = bench.cgroup.samples
    await bench.time.advance(0.0101)
    assert bench.cgroup.samples == before + 1


@pytest.mark.parametrize(
    ("moved", "samples"),
    [
        ({}, 0),
        ({"anon_bytes": 10 * MIB + 64 * KIB}, 0),
        ({"anon_bytes": 10 * MIB + 64 * KIB + 1}, 1),
        ({"anon_bytes": 10 * MIB - 64 * KIB}, 0),
        ({"anon_bytes": 10 * MIB - 64 * KIB - 1}, 1),
        ({"file_bytes": MIB}, 1),
    ],
    ids=["still", "up-64K", "up-more", "down-64K", "down-more", "file"],
)
async def test_the_last_sample_serves_while_the_usage_stands_still(
    bench: Bench, moved: dict[str, int], samples: int
) -> None:
    """`exact=False` reads `memory.stat` only where the usage moved by more than 64 KiB; `exact=True` always."""
    bench.begin(anon_bytes=10 * MIB)
    bench.invoke()
    bench.meter.start_window()
    bench.cgroup.charge(**moved)
    assert samples == bench.samples_of(lambda: bench.meter.finish(exact=False))
    bench.meter.start_window()
    assert bench.samples_of(lambda: bench.meter.finish(exact=True)) == 1


@pytest.mark.parametrize(("tmp_bytes", "samples"), [(10 * MIB, 0), (6 * MIB, 1), (14 * MIB, 1)])
async def test_the_last_sample_serves_while_tmp_stands_still(
    bench: Bench, tmp_bytes: int, samples: int
) -> None:
    """A usage that stands still may hide a /tmp that took the place of something else."""
    bench.begin(anon_bytes=20 * MIB)
    bench.fill_tmp(10 * MIB)
    bench.invoke()
    bench.meter.start_window()
    bench.fill_tmp(tmp_bytes)
    bench.cgroup.charge(anon_bytes=30 * MIB - tmp_bytes)
    taken: list[Measurement] = []
    assert samples == bench.samples_of(lambda: taken.append(bench.meter.finish(exact=False)))
    assert taken[0].tmp == TmpUsage("tmpfs", 512 * MIB, tmp_bytes)
    assert taken[0].at_end == split(anon_bytes=30 * MIB - tmp_bytes, tmp_bytes=tmp_bytes)


@pytest.mark.parametrize(("usage_bytes", "samples"), [(ROOM - 4 * MIB, 0), (ROOM - 4 * MIB + 1, 1)])
async def test_near_the_limit_it_is_read_always(
    bench: Bench, usage_bytes: int, samples: int
) -> None:
    """Within 4 MiB of the limit reclaim changes the split while the usage stands still."""
    bench.begin(anon_bytes=usage_bytes)
    bench.invoke()
    bench.meter.start_window()
    assert samples == bench.samples_of(lambda: bench.meter.finish(exact=False))


async def test_a_new_life_takes_a_new_sample(bench: Bench) -> None:
    """What the dead processes' last sample said does not serve for the living."""
    bench.begin(anon_bytes=10 * MIB)
    bench.invoke()
    bench.begin(anon_bytes=0, kernel_bytes=10 * MIB)
    measured = bench.invoke(exact=False)
    assert measured.at_end == split(kernel_bytes=10 * MIB)


async def test_shared_memory_that_is_not_tmp(bench: Bench) -> None:
    """Of shared memory what /tmp holds is `tmp`, the rest `shmem`."""
    bench.begin(shmem_bytes=12 * MIB)
    bench.tmp.bytes = 10 * MIB
    assert bench.invoke().memory == split(tmp_bytes=10 * MIB, shmem_bytes=2 * MIB)


async def test_after_a_kill(bench: Bench) -> None:
    """The heap is as it was before, /tmp as it is now, and the sum is the limit at which it was killed."""
    bench.begin(anon_bytes=40 * MIB, file_bytes=20 * MIB)
    bench.fill_tmp(40 * MIB)
    bench.invoke()
    bench.meter.start_window()
    bench.fill_tmp(48 * MIB)
    bench.cgroup.kill()
    measured = bench.meter.finish(exact=True, after_kill=True)
    assert measured.peak_bytes == 128 * MIB
    assert measured.memory == split(
        anon_bytes=ROOM - 68 * MIB, tmp_bytes=48 * MIB, file_bytes=20 * MIB
    )
    assert measured.at_end == split(tmp_bytes=48 * MIB, file_bytes=20 * MIB)


async def test_a_kill_in_the_first_invocation(bench: Bench) -> None:
    """The sample of its beginning serves: the heap that grew since then is the rest of the limit."""
    bench.begin(anon_bytes=10 * MIB, file_bytes=20 * MIB)
    bench.meter.start_window()
    bench.cgroup.kill()
    measured = bench.meter.finish(exact=True, after_kill=True)
    assert measured.memory == split(anon_bytes=ROOM - 20 * MIB, file_bytes=20 * MIB)


async def test_file_pages_that_others_paid_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are added to every figure, as files, and taken from the limit."""
    bench.begin(anon_bytes=10 * MIB, file_bytes=5 * MIB, mapped_file_bytes=4 * MIB)
    mapped(monkeypatch, 24 * MIB)
    bench.meter.settle_accounting(PID)
    assert bench.cgroup.limit_bytes() == ROOM - 20 * MIB
    measured = bench.invoke({"anon_bytes": 12 * MIB})
    peaks = (measured.peak_bytes, measured.invocation_peak_bytes)
    assert peaks == (figure(37 * MIB), figure(37 * MIB))
    parts = split(anon_bytes=12 * MIB, file_bytes=25 * MIB)
    assert (measured.memory, measured.at_end, measured.accounting) == (parts, parts, "shared")


@pytest.mark.parametrize(
    ("mapped_bytes", "limit_bytes"),
    [
        (0, ROOM),
        (4 * MIB, ROOM),
        (4 * MIB + 5000, ROOM - 8192),
        (ROOM - MIB + 4 * MIB + 1, 1 * MIB),
        (900 * MIB, 1 * MIB),
    ],
    ids=["none", "all-charged", "whole-pages", "almost-all", "more-than-the-limit"],
)
async def test_the_limit_that_is_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, mapped_bytes: int, limit_bytes: int
) -> None:
    """Memory Size less the platform's part and the uncharged pages, in whole pages, and never less than 1 MiB."""
    bench.begin(file_bytes=4 * MIB, mapped_file_bytes=4 * MIB)
    mapped(monkeypatch, mapped_bytes)
    bench.meter.settle_accounting(PID)
    assert limit_bytes == bench.cgroup.limit_bytes()


async def test_what_does_not_fit_any_more_is_the_kernels_refusal(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heap that no longer fits beside the uncharged pages is an out-of-memory, which the caller tells."""
    bench.begin(anon_bytes=ROOM - 8 * MIB)
    mapped(monkeypatch, 20 * MIB)
    with pytest.raises(MemoryError):
        bench.meter.settle_accounting(PID)


async def test_a_real_process_has_mapped_files(bench: Bench) -> None:
    """Our own interpreter's libraries, which this group did not pay for, take their part of the limit."""
    bench.begin(anon_bytes=MIB)
    bench.cgroup.processes = [os.getpid()]
    bench.meter.settle_accounting(os.getppid())
    left = bench.cgroup.limit_bytes()
    assert 0 < left < ROOM
    assert left % 4096 == 0
    measured = bench.invoke()
    assert abs(measured.memory.file_bytes - (ROOM - left)) < 4096


@pytest.mark.parametrize("suppressed", [False, True])
async def test_no_figure_is_above_memory_size(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, suppressed: bool
) -> None:
    """Init runs under the whole limit, before or in the invocation; with the uncharged pages it is Memory Size at most."""
    mapped(monkeypatch, 20 * MIB)
    bench.begin()
    if suppressed:
        bench.meter.start_window()
    bench.cgroup.charge(anon_bytes=ROOM - 8 * MIB)
    bench.cgroup.charge(anon_bytes=10 * MIB)
    bench.meter.settle_accounting(PID)
    if not suppressed:
        bench.meter.start_window()
    measured = bench.meter.finish(exact=True)
    assert measured.peak_bytes == 128 * MIB
    assert measured.invocation_peak_bytes == (128 * MIB if suppressed else figure(30 * MIB))
    assert measured.memory == split(anon_bytes=ROOM - 20 * MIB, file_bytes=20 * MIB)


@pytest.mark.parametrize(("keeps_peak", "source"), [(True, "kernel"), (False, "sampler")])
async def test_every_figure_names_its_source(bench: Bench, keeps_peak: bool, source: str) -> None:
    """`kernel` where it keeps the high-water mark, `sampler` where only samples do."""
    bench.cgroup.keeps_peak = keeps_peak
    bench.begin(anon_bytes=10 * MIB)
    measured = bench.invoke()
    assert (source, source) == (measured.source, measured.invocation_source)


@pytest.mark.parametrize(
    ("at_most_mib", "source"), [(30, "kernel"), (31, "sampler"), (None, "sampler")]
)
async def test_what_the_kernel_vouches_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, at_most_mib: int | None, source: str
) -> None:
    """A sampled window leaves the environment's figure the kernel's, if that says it was no higher."""
    bench.begin(anon_bytes=10 * MIB)
    bench.invoke({"anon_bytes": 30 * MIB}, {"anon_bytes": 10 * MIB})
    at_most = None if at_most_mib is None else at_most_mib * MIB
    monkeypatch.setattr(bench.cgroup, "peak", lambda: Peak(12 * MIB, False, at_most))
    measured = bench.meter.finish(exact=True)
    assert (measured.peak_bytes, measured.source) == (figure(30 * MIB), source)
    own = (measured.invocation_peak_bytes, measured.invocation_source)
    assert own == (figure(12 * MIB), "sampler")


async def test_one_sampled_window_is_enough(bench: Bench) -> None:
    """The environment's figure is the kernel's only if every window's was; new processes begin anew."""
    bench.begin(anon_bytes=10 * MIB)
    bench.cgroup.keeps_peak = False
    bench.invoke()
    bench.cgroup.keeps_peak = True
    measured = bench.invoke()
    assert (measured.source, measured.invocation_source) == ("sampler", "kernel")
    bench.begin()
    assert bench.invoke().source == "kernel"


async def test_out_of_memory_is_said_once(bench: Bench) -> None:
    """Each kill is told the first time that somebody asks; one of the life before is none of this one."""
    bench.begin()
    assert not bench.meter.was_out_of_memory()
    bench.cgroup.kill()
    assert bench.meter.was_out_of_memory()
    assert not bench.meter.was_out_of_memory()
    bench.cgroup.kill()
    bench.begin()
    assert not bench.meter.was_out_of_memory()


async def test_looking_closer(bench: Bench) -> None:
    """/tmp by file is its reader's, asked with the group's processes, and heaps are told by process."""
    bench.cgroup.processes = [os.getpid()]
    bench.tmp.bytes = 7
    assert bench.meter.look_at_tmp() == TmpUsage("tmpfs", 512 * MIB, 7, (), 1)
    (process,) = bench.meter.look_at_processes()
    assert (process.pid, process.anon_bytes > MIB) == (os.getpid(), True)


async def test_tmp_is_seen_through_the_boxs_first_process(bench: Bench) -> None:
    """The path leads through /proc, whatever the box has mounted, and is let go at the end."""
    assert bench.tmp.path == f"/proc/{PID}/root" + "/tmp"
    bench.meter.close()
    assert bench.tmp.is_closed


@pytest.mark.parametrize("accounting", ["exact", "shared"])
async def test_the_accounting_is_told(
    make_bench: Callable[..., Bench], accounting: Accounting
) -> None:
    """Every figure names whose page cache it counts; the platform's part is in it and kept free in both."""
    bench = make_bench(accounting=accounting)
    bench.begin(anon_bytes=ROOM)
    measured = bench.invoke()
    assert (measured.accounting, measured.peak_bytes) == (accounting, FUNCTION.memory_bytes)
    assert measured.memory == split(anon_bytes=ROOM)


@pytest.mark.parametrize("exact", [True, False])
async def test_a_tmp_on_disk(make_bench: Callable[..., Bench], exact: bool) -> None:
    """What of it is cached is `tmp`, the rest of the page cache `file`; how full it is, is told whole."""
    bench = make_bench(ON_DISK)
    bench.begin(anon_bytes=10 * MIB, shmem_bytes=3 * MIB, file_bytes=30 * MIB)
    bench.tmp.bytes, bench.tmp.cached_bytes = 20 * MIB, 12 * MIB
    measured = bench.invoke(exact=exact)
    assert measured.tmp == TmpUsage("disk", 512 * MIB, 20 * MIB)
    assert measured.at_end == split(
        anon_bytes=10 * MIB, tmp_bytes=12 * MIB, shmem_bytes=3 * MIB, file_bytes=18 * MIB
    )
    assert bench.tmp.exact[-1] is exact


async def test_files_are_asked_one_by_one_for_a_reader_only(
    make_bench: Callable[..., Bench],
) -> None:
    """Neither the sampler nor an invocation that nobody looks at closely walks a `/tmp` on disk."""
    bench = make_bench(ON_DISK)
    bench.begin()
    bench.meter.start_window()
    await bench.time.advance(0.011)
    bench.meter.finish(exact=False)
    assert set(bench.tmp.exact) == {False}
    bench.meter.start_window()
    bench.meter.finish(exact=True)
    assert bench.tmp.exact.count(True) == 1


@pytest.mark.parametrize(("tmp_bytes", "samples"), [(10 * MIB, 0), (6 * MIB, 1), (14 * MIB, 1)])
async def test_a_disk_that_fills_unseen_takes_a_new_sample(
    make_bench: Callable[..., Bench], tmp_bytes: int, samples: int
) -> None:
    """Writes and deletions may leave the usage as it was: how full `/tmp` is tells."""
    bench = make_bench(ON_DISK)
    bench.begin(file_bytes=30 * MIB)
    bench.tmp.bytes = 10 * MIB
    bench.invoke()
    bench.meter.start_window()
    bench.tmp.bytes = tmp_bytes
    assert samples == bench.samples_of(lambda: bench.meter.finish(exact=False))


async def test_the_hosts_disk_is_its_readers_to_check(bench: Bench, tmp_path: Path) -> None:
    """The reader of `/tmp` is told where its file lies."""
    bench.meter.check_disk(tmp_path)
    assert bench.tmp.checked == [tmp_path]


async def test_a_meter_without_a_box_can_be_closed(tmp_path: Path) -> None:
    """An environment that broke off before its box stood has no disk to check and nothing to let go."""
    meter = Meter(FUNCTION, FakeCgroup(MIB), "exact")
    meter.check_disk(tmp_path)
    meter.close()


CHARGES = st.fixed_dictionaries(
    {
        part: st.integers(min_value=0, max_value=64 * MIB)
        for part in ("anon_bytes", "shmem_bytes", "file_bytes", "kernel_bytes", "stock_bytes")
    }
)


@given(st.lists(st.lists(CHARGES, max_size=3), min_size=1, max_size=4), st.booleans())
def test_the_parts_always_add_up(run: list[list[dict[str, int]]], exact: bool) -> None:
    """Whatever is charged when: the parts are the figure to the byte, none is negative, and no peak is lost."""

    async def measure() -> None:
        cgroup = FakeCgroup(320 * MIB)
        meter = Meter(FUNCTION, cgroup, "exact")
        meter.begin_life()
        highest = 0
        for charges in run:
            meter.start_window()
            start = cgroup.usage_bytes()
            own = max([start, *(sum(charge.values()) for charge in charges)])
            for charge in charges:
                cgroup.charge(**charge)
            measured = meter.finish(exact=exact)
            highest = max(highest, own)
            high, own_high = figure(min(highest, ROOM)), figure(min(own, ROOM))
            assert measured.peak_bytes == high == measured.memory.total_bytes
            assert measured.invocation_peak_bytes == own_high
            assert measured.memory.platform_bytes == PLATFORM_BYTES
            assert min(*measured.memory, *measured.at_end) >= 0
        meter.close()

    asyncio.run(measure())
