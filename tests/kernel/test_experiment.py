"""The experiment that started the project, on real memory."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll.diagnosis import judge
from plimsoll.model import Function
from tests.kernel.charges import undisturbed
from tests.kernel.conftest import NODE, invoke, log_text, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Report

MIB = 1 << 20
LIMIT = 128 * MIB
CODE = Path(__file__).parents[2] / "examples/tmp-append"


def experiment(**changed: int) -> Function:
    return Function("experiment", NODE, "index.handler", CODE, **changed)  # type: ignore[arg-type]


async def run_to_the_kill(fleet: Fleet) -> list[Report]:
    return await undisturbed(lambda: _run_to_the_kill(fleet))


async def _run_to_the_kill(fleet: Fleet) -> list[Report]:
    reports = []
    for _ in range(15):
        reports.append((await invoke(fleet, experiment())).report)
        if reports[-1].fatal:
            return reports
    raise AssertionError("never killed")


async def test_max_memory_used_climbs_ten_megabytes_per_warm_invocation_and_all_of_it_is_tmp(
    fleet: Fleet,
) -> None:
    """Each warm invocation adds 10 MiB (within 1 MiB) to Max Memory Used; heap and page cache stand still."""
    reports = await run_to_the_kill(fleet)
    climbing = [report for report in reports[1:] if report.peak_bytes < LIMIT - MIB]
    assert len(climbing) >= 3
    for before, after in itertools.pairwise(climbing):
        assert abs(after.peak_bytes - before.peak_bytes - 10 * MIB) < MIB
        assert after.memory.tmp_bytes - before.memory.tmp_bytes == 10 * MIB
        assert abs(after.memory.anon_bytes - before.memory.anon_bytes) < MIB
        assert abs(after.memory.file_bytes - before.memory.file_bytes) < MIB


async def test_at_the_limit_the_page_cache_gives_way_before_anything_is_killed(
    fleet: Fleet,
) -> None:
    """Max Memory Used stands at Memory Size then; `/tmp` goes on growing, the runtime's own file pages go."""
    reports = await run_to_the_kill(fleet)
    full = [report for report in reports[:-1] if report.peak_bytes >= LIMIT - MIB]
    assert len(full) >= 3
    for before, after in itertools.pairwise(full):
        assert after.status == "success"
        assert after.max_memory_used_mib in {127, 128}
        assert abs(after.at_end.tmp_bytes - before.at_end.tmp_bytes - 10 * MIB) < MIB
        assert abs(after.at_end.anon_bytes - before.at_end.anon_bytes) < MIB
        assert before.at_end.file_bytes - after.at_end.file_bytes > 8 * MIB


async def test_it_is_killed_at_the_memory_limit_and_the_verdict_names_the_file(
    fleet: Fleet,
) -> None:
    """Runtime.OutOfMemory at Memory Size, in the 10th; the verdict is tmp, 10 MiB, /tmp/test, that invocation."""
    reports = await run_to_the_kill(fleet)
    last = reports[-1]
    assert (last.error_type, last.max_memory_used_mib) == ("Runtime.OutOfMemory", 128)
    # 128 less the platform's 14.5, 19 of heap and kernel, and 9 times 10
    assert last.invocation == 10
    verdict = judge(reports)
    assert verdict.kind == "tmp"
    assert abs(verdict.growth_bytes_per_invocation - 10 * MIB) < MIB // 4
    assert verdict.causes[0].evidence[0].path == "/tmp/test"
    assert (verdict.limit, verdict.invocations_until_limit) == ("memory", last.invocation)


async def test_the_forecast_made_before_the_kill_is_the_kill_that_comes(fleet: Fleet) -> None:
    """What is reckoned from the invocations before the kill is within one invocation of what happens."""
    reports = await run_to_the_kill(fleet)
    forecast = judge(reports[:-1])
    assert forecast.invocations_until_limit is not None
    assert abs(forecast.invocations_until_limit - reports[-1].invocation) <= 1


async def test_after_the_kill_a_new_environment_begins_with_an_empty_tmp(fleet: Fleet) -> None:
    """On tmpfs what filled the memory would survive a reset: the environment is replaced, in a new log stream."""
    reports = await run_to_the_kill(fleet)
    fresh = await invoke(fleet, experiment())
    assert fresh.report.log_stream != reports[-1].log_stream
    assert fresh.report.invocation == 1
    assert response(fresh) == {"bytes": 10 * MIB}
    assert "INIT_START" in log_text(fresh)


async def test_with_room_in_memory_the_52nd_invocation_gets_enospc(fleet: Fleet) -> None:
    """512 MB of /tmp hold 51 times 10 MiB; the 52nd is an ordinary error, and the environment lives on."""
    full = await invoke(fleet, experiment(memory_mib=1024), times=51)
    assert full.outcome.status == "success"
    failed = await invoke(fleet, experiment(memory_mib=1024))
    assert "ENOSPC" in response(failed)["errorMessage"]
    assert (failed.report.invocation, failed.report.fatal) == (52, False)
    assert failed.report.tmp.used_bytes == 512 * MIB


async def test_tmp_is_told_by_file_and_by_invocation(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """Each file with its allocated bytes and what this invocation changed of it."""
    code = "def handler(e, c):\n  open('/tmp/' + e['f'], 'ab').write(b'x' * e['n'])\n"
    function = deploy(code)
    await invoke(fleet, function, {"f": "a", "n": 1 << 20})
    completed = await invoke(fleet, function, {"f": "b", "n": 2 << 20})
    told = {f.path: (f.bytes, f.delta_bytes) for f in completed.report.tmp.files}
    assert told == {"/tmp/a": (MIB, 0), "/tmp/b": (2 * MIB, 2 * MIB)}
