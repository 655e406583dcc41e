"""`plimsoll invoke` and `plimsoll diagnose`: run a function in one warm environment, show each invocation, judge."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from plimsoll import event_loop
from plimsoll.cli.request import Request, read_request, with_options
from plimsoll.diagnosis import judge, run
from plimsoll.fleet import open_fleet
from plimsoll.report import (
    LiveTable,
    invocation_object,
    verdict_object,
    verdict_words,
    write_report,
)
from plimsoll.runtimes import RuntimeStore
from plimsoll.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plimsoll.fleet import Fleet
    from plimsoll.model import Completed, Function, Verdict

DIAGNOSE_MIN, DIAGNOSE_MAX = 8, 60
_GROWTH = frozenset(
    {"tmp", "tmp-deleted-open", "heap", "processes", "extension", "shmem", "kernel"}
)


@click.command(
    epilog="\b\nExample:\n  plimsoll invoke index.js --runtime nodejs20.x --memory 128 --repeat 12"
)
@with_options
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Invocations, one after the other.",
)
def invoke(repeat: int, **given: Any) -> int:
    """Run a function in one warm environment, once or many times.

    Exit status 1 when an invocation failed.
    """
    request = read_request(given)
    completed, _ = _run(request, repeat, enough=None)
    return 0 if all(c.report.status == "success" for c in completed) else 1


@click.command(
    epilog="\b\nExample:\n  plimsoll diagnose ./my-function --memory 256 --report out.html"
)
@with_options
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Exactly N invocations. Default: until it is clear, {DIAGNOSE_MIN} to {DIAGNOSE_MAX}.",
)
def diagnose(repeat: int | None, **given: Any) -> int:
    """Invoke until the verdict is clear, say what grows.

    Exit status 1 when something grows, or the function failed.
    """
    request = read_request(given)
    enough = None if repeat is not None else _clear
    completed, verdict = _run(request, repeat or DIAGNOSE_MAX, enough)
    failed = any(c.report.status != "success" for c in completed)
    return 1 if failed or verdict.kind in _GROWTH else 0


def _clear(completed: list[Completed]) -> bool:
    """Enough seen: eight invocations and a verdict, or a failure that will only repeat."""
    if completed[-1].report.fatal and completed[-1].report.invocation == 1:
        return True
    if len(completed) < DIAGNOSE_MIN:
        return False
    return judge([c.report for c in completed]).kind != "inconclusive"


def _run(
    request: Request, repeat: int, enough: Callable[[list[Completed]], bool] | None
) -> tuple[list[Completed], Verdict]:
    completed: list[Completed] = []
    event_loop.run(_invoke_all(request, repeat, enough, completed))
    verdict = judge([c.report for c in completed])
    if request.form == "json":
        click.echo(json.dumps(verdict_object(verdict)))
    elif request.form == "table" and repeat > 1:
        click.echo(verdict_words(verdict))
    if request.report is not None:
        write_report(request.report, completed, verdict, _title(request, completed))
        click.echo(f"report: {request.report}", err=True)
    return completed, verdict


async def _invoke_all(
    request: Request,
    repeat: int,
    enough: Callable[[list[Completed]], bool] | None,
    completed: list[Completed],
) -> None:
    _cancel_by_signals()
    store = RuntimeStore(read_settings(os.environ).data_folder)
    async with open_fleet(store, request.accounting, _tell_progress) as fleet:
        function = request.function(fleet.staging, store)
        show = _show(request, function, repeat)
        with _told_if_shared(fleet), show as shown:
            invocations = run(
                fleet,
                function,
                request.payload,
                repeat=repeat,
                interval_s=request.interval_s,
                enough=enough,
            )
            async for one in invocations:
                completed.append(one)
                _print(request, one, shown)


def _tell_progress(what: str) -> None:
    click.echo(f"plimsoll: {what} …", err=True)


@contextmanager
def _told_if_shared(fleet: Fleet) -> Iterator[None]:
    """Figures of another accounting than the usual one are not shown without a word, however the run ends."""
    try:
        yield
    finally:
        reason = fleet.not_exact
        if reason is not None:
            click.echo(f"plimsoll: the accounting is `shared`, since {reason.message}", err=True)
            if reason.mend:
                click.echo(f"  mend: {reason.mend}", err=True)


def _cancel_by_signals() -> None:
    """Both end the run as Ctrl-C does, with everything cleaned up; `nohup` has SIGHUP ignored, and it stays so."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel, number.name)


def _show(request: Request, function: Function, repeat: int) -> Any:
    if request.form != "table":
        return nullcontext()
    return LiveTable(
        f"{function.name}  {function.runtime}  {function.handler}  {function.memory_mib} MB  "
        f"/tmp {function.tmp_mib} MB",
        most=repeat,
    )


def _print(request: Request, completed: Completed, table: LiveTable | None) -> None:
    if table is not None:
        table.add(completed)
    elif request.form == "json":
        click.echo(json.dumps(invocation_object(completed)))
    else:
        for event in completed.logs:
            click.echo(event.message, nl=not event.message.endswith("\n"))


def _title(request: Request, completed: list[Completed]) -> str:
    report = completed[-1].report
    return f"{report.function_name}, {request.path}, {report.memory_size_mib} MB"
