"""The calibration: hello-world weighs here what it weighs on AWS, whatever the host has cached."""

from __future__ import annotations

import shutil
import statistics
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.memory import HELLO_WORLD_MIB
from plimsoll.memory.calibration import TOLERANCE
from plimsoll.model import Function
from tests.kernel.charges import drop_host_caches, undisturbed
from tests.kernel.conftest import invoke

if TYPE_CHECKING:
    from plimsoll.fleet import Fleet
    from plimsoll.runtimes import RuntimeStore

MIB = 1 << 20
EXAMPLES = Path(__file__).parents[2] / "examples"
ENVIRONMENTS = 10
HANDLERS = {"python": "app.lambda_handler", "nodejs": "index.handler"}


def hello_world(runtime: str, store: RuntimeStore, folder: Path) -> Function:
    """Of a runtime that is installed; of the custom one a static program. Skips where this host has it not."""
    installed = {one.name: one.language for one in store.installed()}
    if runtime in installed:
        return Function("hello", runtime, HANDLERS[installed[runtime]], EXAMPLES / "hello")
    if runtime != "provided.al2023" or not shutil.which("cc"):
        pytest.skip(f"{runtime} with a hello-world is not on this host")
    folder.chmod(0o755)
    source = EXAMPLES / "hello-static/hello.c"
    subprocess.run(["cc", "-static", "-O2", "-o", folder / "bootstrap", source], check=True)
    return Function("hello", runtime, "any", folder)


@pytest.mark.parametrize("runtime", HELLO_WORLD_MIB)
async def test_hello_world_weighs_what_it_weighs_on_aws(
    fleet: Fleet, store: RuntimeStore, tmp_path: Path, runtime: str
) -> None:
    """Within 10 % of AWS's figure, and within 1 MiB of each other's median in ten environments in a row."""
    function = hello_world(runtime, store, tmp_path)

    async def figure_mib() -> float:
        report = (await invoke(fleet, function)).report
        await fleet.recycle(function)
        assert (report.invocation, report.accounting) == (1, "exact")
        return report.peak_bytes / MIB

    figures = []
    for number in range(ENVIRONMENTS):
        if number % 2:  # the next one reads its image from the disk
            drop_host_caches()
        figures.append(await undisturbed(figure_mib))
    expected = HELLO_WORLD_MIB[runtime]
    assert all(abs(figure / expected - 1) < TOLERANCE for figure in figures), figures
    assert max(abs(figure - statistics.median(figures)) for figure in figures) < 1, figures
