"""The verdict on a run, from its reports alone: pure, no clock, no kernel.

Theory of operation. Only warm invocations of one environment are compared (the first one pays for warm-up; the
longest stretch in one environment is taken). For each part of what was in use *when the invocation ended* the slope
is the median of all pairwise slopes (Theil-Sen: one odd point cannot bend it). It counts as growth if it is above a
noise floor and still goes on in the second half of the stretch; growth that stopped is a plateau. A later issue
deepens this with intervals and garbage collection's saw-tooth.
"""

from __future__ import annotations

import itertools
import math
import re
import statistics
from collections import defaultdict
from typing import TYPE_CHECKING

from plimsoll.diagnosis.advice import advise
from plimsoll.model import Cause, Evidence, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plimsoll.model import Kind, Limit, Report, TmpFile

WARM_MIN = 3
"""Warm points below which nothing is said."""
FLOOR_BYTES = 64 << 10
"""Growth per invocation below this is noise: the kernel's own per-CPU stock is 256 KiB on two CPUs."""
PLATEAU_SHARE = 0.25
"""A second half that grows less than this share of the first has levelled off."""
_KINDS: dict[str, Kind] = {
    "anon": "heap",
    "tmp": "tmp",
    "shmem": "shmem",
    "file": "cache",
    "kernel": "kernel",
}
_BOOKKEEPING_SHARE = 0.04
_OUT_OF_MEMORY = "Runtime.OutOfMemory"


def judge(reports: Sequence[Report]) -> Verdict:
    """Does something grow, what, how fast, and what stops it. Any number of reports, in their order."""
    stretch = _longest_stretch(reports)
    warm = [report for report in stretch[1:] if not report.fatal]
    killed_at = _killed_at(stretch)
    if len(warm) < WARM_MIN:
        return _inconclusive(len(warm), killed_at)
    slopes = {part: _slope([_held(report, part) for report in warm]) for part in _KINDS}
    growing = {p: s for p, s in slopes.items() if s >= FLOOR_BYTES and not _levelled(warm, p)}
    growing = _without_bookkeeping(growing, warm[-1])
    if not growing:
        return _not_growing(warm, slopes)
    causes = _causes(growing, warm)
    growth = sum(cause.growth_bytes_per_invocation for cause in causes)
    lasting = sum(slope for part, slope in growing.items() if part not in _regained(warm[-1]))
    until, limit = _forecast(warm, lasting, slopes["tmp"], killed_at)
    kind = causes[0].kind
    return Verdict(
        kind=kind,
        growth_bytes_per_invocation=growth,
        causes=causes,
        invocations_until_limit=until,
        limit=limit,
        confidence=_confidence(warm, growing),
        advice=advise(causes, warm[-1], until, limit),
    )


def _longest_stretch(reports: Sequence[Report]) -> list[Report]:
    stretches: dict[str, list[Report]] = defaultdict(list)
    for report in reports:
        stretches[report.log_stream].append(report)
    return max(stretches.values(), key=len, default=[])


def _killed_at(stretch: Sequence[Report]) -> int | None:
    return next((r.invocation for r in stretch if r.error_type == _OUT_OF_MEMORY), None)


def _slope(values: Sequence[float]) -> float:
    pairs = itertools.combinations(enumerate(values), 2)
    return statistics.median((b - a) / (j - i) for (i, a), (j, b) in pairs)


def _held(report: Report, part: str) -> int:
    """What a part came to at the invocation's end: of a `/tmp` on disk what it holds, in memory or not."""
    if part == "tmp" and report.tmp.backing == "disk":
        return report.tmp.used_bytes
    return report.at_end.parts()[part]


def _regained(report: Report) -> set[str]:
    """The parts whose growth kills nothing, since the kernel takes them back at the limit."""
    return {"file", "tmp"} if report.tmp.backing == "disk" else {"file"}


def _without_bookkeeping(growing: Mapping[str, float], last: Report) -> dict[str, float]:
    """Page cache of a disk has kernel memory of its own (buffer heads, 104 bytes a page), which goes with it."""
    share = growing.get("kernel", 0) / growing["tmp"] if "tmp" in growing else 1
    if last.tmp.backing == "disk" and share < _BOOKKEEPING_SHARE:
        return {part: slope for part, slope in growing.items() if part != "kernel"}
    return dict(growing)


def _levelled(warm: Sequence[Report], part: str) -> bool:
    """Whether the part grew at first and then stopped."""
    values = [_held(report, part) for report in warm]
    if len(values) < 6:
        return False
    half = len(values) // 2
    first, second = _slope(values[: half + 1]), _slope(values[half:])
    on = max(FLOOR_BYTES, PLATEAU_SHARE * first)
    steps = [b - a for a, b in itertools.pairwise(values[half:])]
    # one odd point in the middle bends the slope of so short a half, but most steps still go up
    return second < on and sum(step >= on for step in steps) * 2 <= len(steps)


def _not_growing(warm: Sequence[Report], slopes: Mapping[str, float]) -> Verdict:
    levelled = any(_levelled(warm, part) and slope >= FLOOR_BYTES for part, slope in slopes.items())
    kind: Kind = "plateau" if levelled else "none"
    advice = (
        "It grew at first and then stopped: warm-up, an allocator's reserve or a bounded cache. Nothing to mend."
        if levelled
        else "Nothing grows from one warm invocation to the next."
    )
    confidence = round(min(0.95, 0.5 + 0.05 * len(warm)), 2)
    return Verdict(kind, 0.0, (), None, None, confidence, advice)


def _inconclusive(warm: int, killed_at: int | None) -> Verdict:
    advice = f"Too few warm invocations to judge ({warm}, at least {WARM_MIN} are needed): use --repeat 12."
    if killed_at is not None:
        advice = (
            f"The environment was killed for memory at its invocation {killed_at}, before growth could be told from "
            "need: give it more memory (--memory) and run again."
        )
    return Verdict("inconclusive", 0.0, (), killed_at, "memory" if killed_at else None, 0.0, advice)


def _causes(growing: Mapping[str, float], warm: Sequence[Report]) -> tuple[Cause, ...]:
    causes = []
    for part, slope in growing.items():
        kind = _KINDS[part]
        evidence: tuple[Evidence, ...] = ()
        if part == "tmp":
            evidence = _files(warm)
            if evidence and all(_is_deleted(item.path, warm) for item in evidence[:1]):
                kind = "tmp-deleted-open"
        elif part == "anon":
            evidence = _processes(warm)
        causes.append(Cause(kind, slope, evidence))
    # page cache comes last: a verdict of `cache` says that nothing else grows
    return tuple(sorted(causes, key=lambda c: (c.kind == "cache", -c.growth_bytes_per_invocation)))


def pattern_of(path: str) -> str:
    """Names that differ only in digits or in a random ending are one pattern.

    >>> pattern_of("/tmp/core.chromium.4711")
    '/tmp/core.chromium.<n>'
    """
    folder, slash, name = path.rpartition("/")
    return folder + slash + re.sub(r"[0-9a-f]{8,}(?:-[0-9a-f]{4,})*|\d+", "<n>", name)


def _files(warm: Sequence[Report]) -> tuple[Evidence, ...]:
    grown: dict[str, float] = defaultdict(float)
    first: dict[str, TmpFile] = {}
    several: dict[str, set[str]] = defaultdict(set)
    for report in warm:
        for file in report.tmp.files:
            name = pattern_of(file.path)
            grown[name] += max(0, file.delta_bytes)
            first.setdefault(name, file)
            several[name].add(file.path)
    ranked = sorted(grown.items(), key=lambda item: -item[1])
    return tuple(
        Evidence(
            bytes_per_invocation=total / len(warm),
            path=name if len(several[name]) > 1 else first[name].path,
            pid=first[name].pid,
            command=first[name].command,
        )
        for name, total in ranked[:10]
        if total > 0
    )


def _is_deleted(path: str | None, warm: Sequence[Report]) -> bool:
    return any(f.deleted and path in {f.path, pattern_of(f.path)} for f in warm[-1].tmp.files)


def _processes(warm: Sequence[Report]) -> tuple[Evidence, ...]:
    series: dict[int, list[int]] = defaultdict(list)
    for report in warm:
        for process in report.processes:
            series[process.pid].append(process.anon_bytes)
    commands = {p.pid: p.command for report in warm for p in report.processes}
    found = [
        Evidence(_slope(values), pid=pid, command=commands[pid])
        for pid, values in series.items()
        if len(values) >= WARM_MIN and _slope(values) >= FLOOR_BYTES
    ]
    return tuple(sorted(found, key=lambda item: -item.bytes_per_invocation))


def _forecast(
    warm: Sequence[Report], growth: float, tmp_growth: float, killed_at: int | None
) -> tuple[int | None, Limit | None]:
    """The first invocation, counted in one environment, that no longer fits, and what it hits.

    Observed where it was observed. A kill comes when nothing is left to reclaim. `growth` is that of the other parts.
    """
    if killed_at is not None:
        return killed_at, "memory"
    last = warm[-1]
    parts = last.at_end.parts()
    # under `shared` others paid for the file pages, and they stay
    kept = {"file"} if last.accounting == "shared" else set()
    used = sum(size for part, size in parts.items() if part not in _regained(last) - kept)
    reached: list[tuple[int, Limit]] = []
    if growth > 0:
        fits = math.floor((last.memory_size_mib * (1 << 20) - used) / growth)
        reached.append((last.invocation + fits + 1, "memory"))
    if tmp_growth >= FLOOR_BYTES:
        fits = math.floor((last.tmp.size_bytes - last.tmp.used_bytes) / tmp_growth)
        reached.append((last.invocation + fits + 1, "tmp"))
    return min(reached) if reached else (None, None)


def _confidence(warm: Sequence[Report], growing: Mapping[str, float]) -> float:
    """How steady the growth is: the share of steps that go up, held down by few points."""
    totals = [sum(_held(report, part) for part in growing) for report in warm]
    steps = [b > a for a, b in itertools.pairwise(totals)]
    return round(min(0.99, sum(steps) / len(steps) * (1 - 1 / (len(warm) + 1))), 2)
