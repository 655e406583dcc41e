"""What the listing commands (`doctor`, `runtimes list`) share: their format option and where they print."""

from __future__ import annotations

import click
from rich.console import Console

_WIDE = 240
"""Columns where nobody looks at a terminal: a command that mends something must not be broken over two lines."""

table_or_json = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A table, or a JSON object a line.",
)


def listing_console() -> Console:
    """Standard output as wide as its terminal; into a pipe without wrapping."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)
