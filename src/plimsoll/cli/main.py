"""The `plimsoll` command: its sub-commands in one visible list, and the one place that turns errors into exit codes.

Exit status: 0 all well; 1 the function failed, or `diagnose` found growth; 2 wrong usage; 3 this host cannot do it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import NoReturn

import click

from plimsoll import __version__
from plimsoll.cli.doctor import doctor
from plimsoll.cli.invoke import diagnose, invoke
from plimsoll.cli.runtimes import runtimes
from plimsoll.errors import PlimsollError

EPILOG = """\b
Examples:
  plimsoll invoke ./my-function --memory 256 --event '{"key": 1}'
  plimsoll invoke index.js --runtime nodejs20.x --repeat 20
  plimsoll diagnose function.zip --report out.html
  plimsoll runtimes list
  plimsoll doctor
"""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="plimsoll")
def plimsoll() -> None:
    """AWS Lambda on your own Linux machine, with memory that is real."""


for command in (invoke, diagnose, runtimes, doctor):
    plimsoll.add_command(command)


def main() -> None:
    """The console script's entry."""
    try:
        status = plimsoll(standalone_mode=False)
    except PlimsollError as error:
        click.echo(f"plimsoll: {error.message}", err=True)
        if error.mend:
            click.echo(f"  mend: {error.mend}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _exit_interrupted(signal.SIGINT)
    except asyncio.CancelledError:  # what SIGTERM does to a running invocation
        _exit_interrupted(signal.SIGTERM)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, as in `| head`
        sys.exit(0)
    sys.exit(status or 0)


def _exit_interrupted(number: signal.Signals) -> NoReturn:
    """128 plus the signal, as shells have it."""
    click.echo(
        f"plimsoll: interrupted by {number.name}; the environment and all it held are gone",
        err=True,
    )
    sys.exit(128 + number)
