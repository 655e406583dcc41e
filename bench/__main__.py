"""`scripts/bench [NAME…]`: runs the benches in their order, prints a line each, and JSON with --json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bench import boxing, disks, invoking, memory
from bench.functions import RUNTIMES
from plimsoll import event_loop
from plimsoll.runtimes import RuntimeStore
from plimsoll.settings import read_settings

if TYPE_CHECKING:
    from bench.turns import Result

BENCHES = {
    "warm": invoking.warm,
    "metering": invoking.metering,
    "cold": invoking.cold,
    "box": boxing.box,
    "join": boxing.join,
    "tmp": boxing.tmp_write,
    "over-limit": boxing.over_limit,
    "calibration": memory.calibration,
    "density": memory.density,
    "images": disks.images,
    "mounts": disks.mounts,
}


def main() -> None:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*BENCHES, []], metavar="NAME", help=", ".join(BENCHES)
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    store = RuntimeStore(read_settings(os.environ).data_folder)
    for name in RUNTIMES:
        store.add(name, lambda step: None)
    results: list[Result] = []
    for name in given.names or BENCHES:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            results += event_loop.run(BENCHES[name](store, Path(folder)))
    if given.json:
        for result in results:
            print(json.dumps({**asdict(result), "value": result.value, "reached": result.reached}))
        return
    _show(results)


def _show(results: list[Result]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("", "ours", "peer", "value", "goal", "", ""):
        table.add_column(head, justify="left" if head == "" else "right")
    for result in results:
        peer = (
            "" if result.theirs is None else f"{result.peer} {_figure(result.theirs)} {result.unit}"
        )
        bound = "1 ±" if result.about else ">=" if result.at_least else "<="
        table.add_row(
            result.name,
            f"{_figure(result.ours)} {result.unit}",
            peer,
            f"{result.value:.2f}",
            f"{bound} {result.goal:g}",
            "[green]reached[/]" if result.reached else "[red]short[/]",
            result.note,
        )
    console = Console()
    console.print(table)
    console.print(
        f"Linux {platform.release()}, {os.cpu_count()} CPUs; medians, taken in turns", style="dim"
    )


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


main()
