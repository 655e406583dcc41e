"""`plimsoll doctor`: what this host enforces, what it cannot, and the command that mends it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.table import Table

from plimsoll.cli.listing import listing_console, table_or_json
from plimsoll.deployment.limits import TMP_MIB
from plimsoll.images import open_blank
from plimsoll.runtimes import RuntimeStore
from plimsoll.sandbox.probe import Finding, disks, probe
from plimsoll.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

_COLOURS = {"fine": "green", "doubtful": "yellow", "broken": "red"}


@click.command(epilog="\b\nExamples:\n  plimsoll doctor\n  plimsoll doctor --format json")
@table_or_json
def doctor(form: str) -> int:
    """Tell what this host enforces, what it cannot, and the command that mends it.

    Exit status 0 when functions can run here, 3 when something is broken.
    """
    data_folder = read_settings(os.environ).data_folder
    findings = [
        *probe(),
        *disks(lambda: open_blank(data_folder / "images", TMP_MIB[0])),
        _runtimes_finding(data_folder),
    ]
    if form == "json":
        for finding in findings:
            click.echo(json.dumps({"type": "finding", **asdict(finding)}))
    else:
        _show(findings)
    return 3 if any(finding.grade == "broken" for finding in findings) else 0


def _runtimes_finding(data_folder: Path) -> Finding:
    names = [runtime.name for runtime in RuntimeStore(data_folder).installed()]
    if names:
        return Finding("runtimes", "fine", ", ".join(names))
    return Finding(
        "runtimes", "doubtful", "none is installed yet", "plimsoll runtimes add nodejs20.x"
    )


def _show(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        colour = _COLOURS[finding.grade]
        text = finding.text + (f"\n[bold]mend:[/] {finding.mend}" if finding.mend else "")
        table.add_row(f"[{colour}]{finding.grade}[/]", finding.topic, text)
    listing_console().print(table)
