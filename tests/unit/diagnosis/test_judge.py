"""The verdict on a run, from its reports alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.diagnosis import judge
from plimsoll.diagnosis.judge import pattern_of
from plimsoll.model import (
    Cause,
    Evidence,
    MemoryBreakdown,
    ProcessMemory,
    TmpFile,
    TmpUsage,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plimsoll.model import Report

    MakeRun = Callable[..., list[Report]]

MIB = 1 << 20
KIB = 1 << 10
SIZES = st.integers(min_value=0, max_value=128 * MIB)


@pytest.fixture(scope="session")
def make_run(make_report: Callable[..., Report]) -> MakeRun:
    """A run in one environment: series of MiB by part (`anon=[1, 2, …]`) on 20 of heap and 40 of files."""

    def make(
        first: int = 1, more: dict[str, Any] | None = None, **series: Sequence[float]
    ) -> list[Report]:
        length = max(len(values) for values in series.values())
        reports = []
        for n in range(length):
            extra = {part: int(values[n] * MIB) for part, values in series.items()}
            split = MemoryBreakdown(
                anon_bytes=20 * MIB + extra.get("anon", 0),
                tmp_bytes=extra.get("tmp", 0),
                shmem_bytes=extra.get("shmem", 0),
                file_bytes=40 * MIB + extra.get("file", 0),
                kernel_bytes=extra.get("kernel", 0),
            )
            reports.append(make_report(split=split, invocation=first + n, **(more or {})))
        return reports

    return make


def grows(step: float, times: int = 8) -> list[float]:
    """A series that grows by `step` MiB each time."""
    return [step * n for n in range(times)]


@pytest.mark.parametrize(
    ("part", "kind"),
    [("anon", "heap"), ("tmp", "tmp"), ("shmem", "shmem"), ("kernel", "kernel")],
)
def test_each_part_that_grows(make_run: MakeRun, part: str, kind: str) -> None:
    """A part that grows by 2 MB is named, and so is the invocation that is killed: the 36th, at 60 + 35 * 2 of 128."""
    verdict = judge(make_run(**{part: grows(2)}))
    expected = (kind, 2.0 * MIB, 36, "memory")
    actual = (
        verdict.kind,
        verdict.growth_bytes_per_invocation,
        verdict.invocations_until_limit,
        verdict.limit,
    )
    assert expected == actual
    assert [cause.kind for cause in verdict.causes] == [kind]


def test_cache_alone_is_harmless(make_run: MakeRun) -> None:
    """Page cache is taken back when memory is needed: nothing is killed for it."""
    verdict = judge(make_run(file=grows(2)))
    assert (verdict.kind, verdict.invocations_until_limit, verdict.limit) == ("cache", None, None)


def test_cache_never_hides_a_leak(make_run: MakeRun) -> None:
    """Where the heap grows too, however slowly, the verdict is the heap, and its growth alone is what kills."""
    verdict = judge(make_run(anon=grows(1), file=grows(4)))
    assert [cause.kind for cause in verdict.causes] == ["heap", "cache"]
    assert (verdict.kind, verdict.growth_bytes_per_invocation) == ("heap", 5.0 * MIB)
    # 8 invocations used 60 + 7 * (1 + 4) of 128: 33 more of 1 MB each fit
    assert verdict.invocations_until_limit == 8 + 33 + 1


def test_largest_share_first(make_run: MakeRun) -> None:
    """Several causes stand in the order of their shares, and the growth is their sum."""
    verdict = judge(make_run(anon=grows(1), tmp=grows(3), shmem=grows(2)))
    assert verdict.causes == (
        Cause("tmp", 3.0 * MIB),
        Cause("shmem", 2.0 * MIB),
        Cause("heap", 1.0 * MIB),
    )
    assert (verdict.kind, verdict.growth_bytes_per_invocation) == ("tmp", 6.0 * MIB)


def test_nothing_grows(make_run: MakeRun) -> None:
    """A level run grows nothing, the surer the longer it was."""
    assert judge(make_run(anon=[0] * 8)) == Verdict(
        "none", 0.0, (), None, None, 0.85, "Nothing grows from one warm invocation to the next."
    )


@pytest.mark.parametrize(
    ("series", "kind"),
    [
        ([5, 0, 0, 0, 0, 0, 0, 0], "none"),
        ([0, 9, 9, 9, 9, 9, 9, 9], "none"),
        (grows(63 / 1024), "none"),
        (grows(64 / 1024), "heap"),
        ([0, 1, 0, 1, 0, 1, 0, 1], "none"),
        ([0, 1, 2, 90, 4, 5, 6, 7, 8, 9, 10, 11], "heap"),
        (grows(-2), "none"),
        ([0, 4, 8, 12, 16, 16, 16, 16, 16], "plateau"),
        ([0, 4, 8, 12, 16, 16.1, 16.2, 16.3, 16.4], "plateau"),
        ([0, 4, 8, 12, 16, 18, 20, 22, 24], "heap"),
    ],
    ids=[
        *("falls-once", "warm-up", "below-noise", "at-noise", "saw-tooth", "one-odd-point"),
        *("shrinks", "levels-off", "nearly-levels-off", "slows-down"),
    ],
)
def test_shapes_of_growth(make_run: MakeRun, series: list[float], kind: str) -> None:
    """Warm-up, noise and one odd point are no growth; growth that stopped is a plateau."""
    assert kind == judge(make_run(anon=series)).kind


@pytest.mark.parametrize("at", range(1, 9))
@pytest.mark.parametrize("odd", [-60, -8, 0, 8, 60])
def test_one_odd_point_does_not_hide_a_leak(make_run: MakeRun, at: int, odd: float) -> None:
    """Of eight warm invocations one may be far off, in the middle too: the leak is told, at its own pace."""
    series = [100.0 + step for step in grows(2, 9)]
    series[at] += odd
    verdict = judge(make_run(1, {"memory_size_mib": 1024}, anon=series))
    assert verdict.kind == "heap"
    assert abs(verdict.growth_bytes_per_invocation - 2 * MIB) < MIB


@pytest.mark.parametrize("at", range(1, 8))
def test_one_odd_point_makes_no_leak_of_a_plateau(make_run: MakeRun, at: int) -> None:
    """Growth that stopped stays a plateau or nothing, wherever before the last one an invocation was far off."""
    series = [100.0, 104.0, 108.0, 112.0, 112.0, 112.0, 112.0, 112.0, 112.0]
    series[at] += 8
    assert judge(make_run(anon=series)).causes == ()


def test_plateau_says_so(make_run: MakeRun) -> None:
    """A plateau has no causes, and nothing is to be mended."""
    assert judge(make_run(anon=[0, 4, 8, 12, 16, 16, 16, 16, 16])) == Verdict(
        *("plateau", 0.0, (), None, None, 0.9),
        "It grew at first and then stopped: warm-up, an allocator's reserve or a bounded cache. Nothing to mend.",
    )


@pytest.mark.parametrize(("length", "warm"), [(0, 0), (1, 0), (3, 2)])
def test_too_few(make_run: MakeRun, length: int, warm: int) -> None:
    """Below three warm invocations nothing is said but how to see more."""
    assert judge(make_run(anon=grows(5, length))) == Verdict(
        *("inconclusive", 0.0, (), None, None, 0.0),
        f"Too few warm invocations to judge ({warm}, at least 3 are needed): use --repeat 12.",
    )


def test_killed_before_growth_can_be_told(make_run: MakeRun) -> None:
    """A kill in the first invocations may be plain need: the advice is more memory."""
    killed = {"status": "error", "error_type": "Runtime.OutOfMemory", "fatal": True}
    run = make_run(anon=[0, 1]) + make_run(3, killed, anon=[2])
    assert judge(run) == Verdict(
        *("inconclusive", 0.0, (), 3, "memory", 0.0),
        "The environment was killed for memory at its invocation 3, before growth could be told from need: "
        "give it more memory (--memory) and run again.",
    )


def test_observed_kill_counts(make_run: MakeRun) -> None:
    """Where the kill was seen, it is not reckoned; the killed invocation itself is no point of the series."""
    killed = {"status": "error", "error_type": "Runtime.OutOfMemory", "fatal": True}
    verdict = judge(make_run(anon=grows(2, 6)) + make_run(7, killed, anon=[1]))
    assert (verdict.growth_bytes_per_invocation, verdict.invocations_until_limit) == (2.0 * MIB, 7)


def test_longest_environment_is_judged(make_run: MakeRun) -> None:
    """A new environment begins anew: figures of two are never compared."""
    short = make_run(1, {"log_stream": "old"}, anon=grows(9, 3))
    verdict = judge(short + make_run(1, {"log_stream": "new"}, anon=grows(2)))
    assert (verdict.kind, verdict.growth_bytes_per_invocation) == ("heap", 2.0 * MIB)


def test_tmp_may_fill_before_memory(make_run: MakeRun) -> None:
    """With memory to spare it is the size of /tmp that ends it, by what it holds in all."""
    used = TmpUsage("tmpfs", 512 * MIB, 512 * MIB - 5 * MIB)
    verdict = judge(make_run(1, {"memory_size_mib": 10_240, "tmp": used}, tmp=grows(2)))
    assert (verdict.invocations_until_limit, verdict.limit) == (8 + 2 + 1, "tmp")


def files_run(make_run: MakeRun, files: Callable[[int], tuple[TmpFile, ...]]) -> list[Report]:
    """A run whose /tmp grows by 2 MB, with these files after each invocation."""
    return [
        replace(report, tmp=TmpUsage("tmpfs", 512 * MIB, n * 2 * MIB, files(n)))
        for n, report in enumerate(make_run(tmp=grows(2)))
    ]


def test_files_are_the_evidence(make_run: MakeRun) -> None:
    """Growing files are named, most bytes first; what does not grow is left out."""
    run = files_run(
        make_run,
        lambda n: (
            TmpFile("/tmp/steady", 9 * MIB, 0),
            TmpFile("/tmp/small", n * KIB, KIB),
            TmpFile("/tmp/test", n * 2 * MIB, 2 * MIB),
        ),
    )
    (cause,) = judge(run).causes
    assert cause == Cause(
        "tmp",
        2.0 * MIB,
        (Evidence(2.0 * MIB, path="/tmp/test"), Evidence(1.0 * KIB, path="/tmp/small")),
    )


def test_many_files_are_one_pattern(make_run: MakeRun) -> None:
    """A new file each time is one line of evidence, under the names' pattern."""
    run = files_run(make_run, lambda n: (TmpFile(f"/tmp/core.chromium.{n}", 2 * MIB, 2 * MIB),))
    (cause,) = judge(run).causes
    assert cause.evidence == (Evidence(2.0 * MIB, path="/tmp/core.chromium.<n>"),)


def test_deleted_but_open(make_run: MakeRun) -> None:
    """Deleted files that some process holds are a kind of their own, and the process is named."""
    run = files_run(
        make_run, lambda n: (TmpFile("/tmp/gone", n * 2 * MIB, 2 * MIB, True, 4711, "node"),)
    )
    verdict = judge(run)
    evidence = (Evidence(2.0 * MIB, path="/tmp/gone", pid=4711, command="node"),)
    assert (verdict.kind, verdict.causes[0].evidence) == ("tmp-deleted-open", evidence)


def test_processes_are_the_evidence(make_report: Callable[..., Report]) -> None:
    """A heap that grows is told by process, most first; what is level is left out."""
    run = [
        make_report(
            split=MemoryBreakdown(anon_bytes=n * 5 * MIB),
            invocation=n,
            processes=(
                ProcessMemory(1, "node", n * MIB),
                ProcessMemory(2, "chrome", n * 4 * MIB),
                ProcessMemory(3, "sh", MIB),
            ),
        )
        for n in range(1, 9)
    ]
    (cause,) = judge(run).causes
    assert cause.evidence == (
        Evidence(4.0 * MIB, pid=2, command="chrome"),
        Evidence(1.0 * MIB, pid=1, command="node"),
    )


@pytest.mark.parametrize(
    ("series", "confidence"),
    [(grows(2, 4), 0.75), (grows(2, 12), 0.92), ([0, 0, 2, 2, 4, 6, 8, 10], 0.73)],
)
def test_confidence(make_run: MakeRun, series: list[float], confidence: float) -> None:
    """Steadier and longer growth is surer, and never quite sure."""
    assert confidence == judge(make_run(anon=series)).confidence


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/tmp/test", "/tmp/test"),
        ("/tmp/7/a.log", "/tmp/7/a.log"),
        ("/tmp/part-12-of-99", "/tmp/part-<n>-of-<n>"),
        ("/tmp/upload_deadbeef01", "/tmp/upload_<n>"),
        ("/tmp/8f507cfc-0000-4697-b07a-ac58fc914c95.pdf", "/tmp/<n>.pdf"),
    ],
)
def test_pattern_of(path: str, pattern: str) -> None:
    """Numbers, long hex words and UUIDs in a file's own name are one pattern; folders stay as they are."""
    assert pattern == pattern_of(path)


@given(
    st.lists(st.builds(MemoryBreakdown, SIZES, SIZES, SIZES, SIZES, SIZES), min_size=1, max_size=12)
)
def test_a_verdict_agrees_with_itself(
    make_report: Callable[..., Report], splits: list[MemoryBreakdown]
) -> None:
    """Whatever was measured: causes and kind belong together, shares add up, and confidence is a share."""
    verdict = judge([make_report(split=split, invocation=n) for n, split in enumerate(splits, 1)])
    assert verdict.growth_bytes_per_invocation == sum(
        cause.growth_bytes_per_invocation for cause in verdict.causes
    )
    if verdict.causes:
        assert verdict.kind == verdict.causes[0].kind
    else:
        assert verdict.kind in {"none", "plateau", "inconclusive"}
    assert 0 <= verdict.confidence <= 1
    assert (verdict.limit is None) == (verdict.invocations_until_limit is None)


def on_disk(run: Sequence[Report], used: Sequence[float]) -> list[Report]:
    """The run with `/tmp` on a disk that holds `used` MiB after each invocation."""
    return [
        replace(report, accounting="exact", tmp=TmpUsage("disk", 512 * MIB, int(mib * MIB)))
        for report, mib in zip(run, used, strict=True)
    ]


def test_under_exact_a_kill_comes_when_the_page_cache_is_gone(make_run: MakeRun) -> None:
    """40 MB of files are taken back first: the 56th instead of the 36th, at 20 + 55 * 2 of 128."""
    run = make_run(tmp=grows(2), more={"accounting": "exact"})
    assert judge(run).invocations_until_limit == 56


def test_tmp_on_a_disk_is_judged_by_what_it_holds(make_run: MakeRun) -> None:
    """At the limit its pages are taken back, so that memory stands still; the files go on growing."""
    run = on_disk(make_run(tmp=[10, 20, 30, 30, 25, 30, 20, 30]), grows(10))
    verdict = judge(run)
    assert (verdict.kind, verdict.growth_bytes_per_invocation) == ("tmp", 10.0 * MIB)


def test_tmp_on_a_disk_kills_nothing_but_fills(make_run: MakeRun) -> None:
    """The forecast is of the full disk, and the advice says that the function becomes slower."""
    verdict = judge(on_disk(make_run(tmp=grows(10)), grows(10)))
    assert (verdict.invocations_until_limit, verdict.limit) == (53, "tmp")
    assert "at 128 MB it is not killed for that" in verdict.advice


@pytest.mark.parametrize(("kernel", "kinds"), [(0.1, ["tmp"]), (1.0, ["tmp", "kernel"])])
def test_the_disks_bookkeeping_is_no_cause_of_its_own(
    make_run: MakeRun, kernel: float, kinds: list[str]
) -> None:
    """Buffer heads grow with the pages that they stand for; what grows faster than that is another matter."""
    run = on_disk(make_run(tmp=grows(10), kernel=grows(kernel)), grows(10))
    assert [cause.kind for cause in judge(run).causes] == kinds
