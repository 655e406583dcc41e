"""`plimsoll runtimes`: list, add, remove the runtimes that this host can run."""

from __future__ import annotations

import json
import os

import click
from rich.table import Table

from plimsoll.cli.listing import listing_console, table_or_json
from plimsoll.errors import CallerError
from plimsoll.runtimes import RuntimeStore
from plimsoll.settings import read_settings


@click.group(
    epilog="\b\nExamples:\n  plimsoll runtimes list\n  plimsoll runtimes add nodejs20.x python3.12\n"
    "  plimsoll runtimes remove nodejs20.x"
)
def runtimes() -> None:
    """List, add and remove the runtimes that this host can run."""


@runtimes.command("list", epilog="\b\nExample:\n  plimsoll runtimes list --format json")
@table_or_json
def list_(form: str) -> int:
    """What is installed, what can be added, and what is missing for the rest."""
    offers = _store().catalog()
    if form == "json":
        for offer in offers:
            members = {
                "name": offer.name,
                "state": offer.state,
                "version": offer.version or None,
                "sizeBytes": offer.size_bytes or None,
                "reason": offer.reason or None,
                "mend": offer.mend or None,
            }
            click.echo(json.dumps({"type": "runtime", **members}))
        return 0
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("runtime", "state", "version", "size", ""):
        table.add_column(name)
    for offer in offers:
        size = f"{offer.size_bytes / 2**20:.0f} MB" if offer.size_bytes else ""
        note = "; ".join(part for part in (offer.reason, offer.mend) if part)
        table.add_row(offer.name, offer.state, offer.version, size, note)
    listing_console().print(table)
    return 0


@runtimes.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask before fetching.")
def add(names: tuple[str, ...], yes: bool) -> int:
    """Install runtimes: Node from npm, Python from what the host has; AWS's client with each.

    \b
    Example:
      plimsoll runtimes add nodejs20.x python3.12
    """
    store = _store()
    for name in names:
        store.check(name)
    have = {runtime.name for runtime in store.installed()}
    wanted = [name for name in names if name not in have]
    if wanted and not yes:
        if not os.isatty(0):
            raise CallerError(
                "fetching runtimes needs a yes, and standard input is no terminal that could be asked",
                mend=f"plimsoll runtimes add --yes {' '.join(wanted)}",
            )
        if not click.confirm(f"Fetch {', '.join(wanted)}?", default=True):
            click.echo("nothing fetched", err=True)
            return 0
    for name in names:
        runtime = store.add(name, lambda step, name=name: click.echo(f"{name}: {step}", err=True))  # type: ignore[misc]
        click.echo(f"{runtime.name} {runtime.manifest.version} ({runtime.manifest.client})")
    return 0


@runtimes.command()
@click.argument("names", nargs=-1, required=True)
def remove(names: tuple[str, ...]) -> int:
    """Remove installed runtimes.

    \b
    Example:
      plimsoll runtimes remove nodejs20.x
    """
    store = _store()
    for name in names:
        store.remove(name)
        click.echo(f"{name} removed")
    return 0


def _store() -> RuntimeStore:
    return RuntimeStore(read_settings(os.environ).data_folder)
