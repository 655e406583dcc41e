"""The calibration: hello-world weighs here what it weighs on AWS, whatever the host has cached."""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.memory import HELLO_WORLD_MIB
from plimsoll.memory.calibration import TOLERANCE
from plimsoll.model import Function
from tests.kernel.conftest import invoke

if TYPE_CHECKING:
    from plimsoll.fleet import Fleet
    from plimsoll.runtimes import RuntimeStore

MIB = 1 << 20
HELLO = Path(__file__).parents[2] / "examples/hello"
ENVIRONMENTS = 10
HANDLERS = {"python": "app.lambda_handler", "nodejs": "index.handler"}


@pytest.mark.parametrize("runtime", HELLO_WORLD_MIB)
async def test_hello_world_weighs_what_it_weighs_on_aws(
    fleet: Fleet, store: RuntimeStore, runtime: str
) -> None:
    """Within 10 % of AWS's figure, and within 1 MiB of each other's median in ten environments in a row."""
    installed = {one.name: one.language for one in store.installed()}
    handler = HANDLERS.get(installed.get(runtime, ""))
    if handler is None:
        pytest.skip(f"{runtime} with a hello-world is not on this host")
    function = Function("hello", runtime, handler, HELLO)
    figures = []
    for number in range(ENVIRONMENTS):
        if number % 2:  # the next one reads its image from the disk
            os.sync()
            Path("/proc/sys/vm/drop_caches").write_text("3")
        report = (await invoke(fleet, function)).report
        assert (report.invocation, report.accounting, report.source) == (1, "exact", "kernel")
        figures.append(report.peak_bytes / MIB)
        await fleet.recycle(function)
    expected = HELLO_WORLD_MIB[runtime]
    assert all(abs(figure / expected - 1) < TOLERANCE for figure in figures), figures
    assert max(abs(figure - statistics.median(figures)) for figure in figures) < 1, figures
