"""The `plimsoll` command: its sub-commands in one visible list, and the one place that turns errors into exit codes.

Exit status: 0 all well; 1 the function failed, or `diagnose` found growth; 2 wrong usage; 3 this host cannot do it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

import click

from plimsoll import __version__
from plimsoll.cli.doctor import doctor
from plimsoll.cli.invoke import diagnose, invoke
from plimsoll.cli.runtimes import runtimes
from plimsoll.errors import HostCannot, PlimsollError
from plimsoll.report import printable

EPILOG = """\b
Examples:
  plimsoll invoke ./my-function --memory 256 --event '{"key": 1}'
  plimsoll invoke index.js --runtime nodejs20.x --repeat 20
  plimsoll diagnose function.zip --report out.html
  plimsoll runtimes list
  plimsoll doctor
"""


class _Commands(click.Group):
    """The reader of our output may go, as in `| head`: click and rich leave with 1 then, which is the function's."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            status = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()  # while an error can still be told; the interpreter's exit cannot
        except (BrokenPipeError, SystemExit) as error:
            if BrokenPipeError not in {type(error), type(error.__context__)}:
                raise
            _write_nowhere()
            return 0
        return status


@click.group(cls=_Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="plimsoll")
def plimsoll() -> None:
    """AWS Lambda on your own Linux machine, with memory that is real."""


for command in (invoke, diagnose, runtimes, doctor):
    plimsoll.add_command(command)


def main() -> None:
    """The console script's entry."""
    try:
        status = plimsoll(prog_name="plimsoll", standalone_mode=False)
    except PlimsollError as error:
        _exit_with(error)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _exit_interrupted(signal.SIGINT)
    except asyncio.CancelledError as error:  # what these two signals do to a running invocation
        _exit_interrupted(signal.SIGHUP if "SIGHUP" in error.args else signal.SIGTERM)
    except OSError as error:
        if not _comes_from_output(error):
            raise
        _write_nowhere()
        _exit_with(
            HostCannot(
                f"standard output cannot be written: {error.strerror}",
                mend="free some space there, or write elsewhere",
            )
        )
    sys.exit(status or 0)


def _exit_with(error: PlimsollError) -> NoReturn:
    """Tells what is wrong; names in it may be anybody's, so line by line as what can be printed."""
    lines = f"plimsoll: {error.message}".split("\n")
    if error.mend:
        lines.append(f"  mend: {error.mend}")
    click.echo("\n".join(map(printable, lines)), err=True)
    sys.exit(error.exit_code)


def _comes_from_output(error: OSError) -> bool:
    """Whether it was raised where output is written: the error itself tells only a number."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    module = str(frame.f_globals["__name__"])
    return module == __name__ or module.split(".")[0] in {"click", "rich"}


def _write_nowhere() -> None:
    """What could not be written is still held: the interpreter's exit would try again, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _exit_interrupted(number: signal.Signals) -> NoReturn:
    """128 plus the signal, as shells have it."""
    click.echo(
        f"plimsoll: interrupted by {number.name}; the environment and all it held are gone",
        err=True,
    )
    sys.exit(128 + number)
