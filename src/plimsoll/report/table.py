"""The table of a run on the terminal: a row an invocation, as they come.

Rule: on a terminal a line below the rows tells what is awaited, and the bar is left out where it is too narrow;
elsewhere rows are plain lines without colours. What the function says is escaped: it can bend neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from plimsoll.report.json_lines import parsed_response
from plimsoll.report.words import printable

if TYPE_CHECKING:
    from types import TracebackType

    from plimsoll.model import Completed, Report

_COLUMNS = (("#", 4), ("duration", 11), ("init", 9), ("used", 8), ("heap", 7), ("/tmp", 7),
            ("files", 7), ("other", 7))  # fmt: skip
_BAR = 12
_ANSWER_BYTES = 300
_WIDTH = sum(width for _, width in _COLUMNS) + len("  ") + _BAR + len(" 100%")


class LiveTable:
    """A context manager: `.add` each completed invocation; the footer names what the figures are."""

    def __init__(
        self, title: str, console: Console | None = None, *, most: int | None = None
    ) -> None:
        """`most`: how many invocations there will be at the most, if that is known."""
        self._title = title
        self._most = most
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._has_bar = not self._console.is_terminal or self._console.width >= _WIDTH
        self._last: Report | None = None
        self._shown = 0
        self._awaited = self._console.status("", spinner_style="dim")

    def __enter__(self) -> LiveTable:
        self._console.print(Text(printable(self._title), style="bold"))
        head = "".join(f"{name:>{width}}" for name, width in _COLUMNS)
        head += "  of the limit" if self._has_bar else ""
        self._console.print(Text(head, style="dim"))
        self._await_next()
        return self

    def _await_next(self) -> None:
        self._shown += 1
        if self._shown - 1 == self._most:
            self._awaited.stop()
        elif self._console.is_terminal:
            of = "" if self._most is None else f" of {self._most}"
            self._awaited.update(Text(f"invocation {self._shown}{of} …", style="dim"))
            self._awaited.start()

    def add(self, completed: Completed) -> None:
        """One row; an error's type and message below it; a new environment is announced above it."""
        report = completed.report
        if self._last is not None and report.log_stream != self._last.log_stream:
            self._console.print(Text("     a new environment, with an empty /tmp", style="dim"))
        self._console.print(_row(report) + _bar(report) if self._has_bar else _row(report))
        if report.status != "success":
            said = printable(f"     {report.error_type}: {_message(completed)}")
            self._console.print(Text(said, style="red"))
        elif self._most == 1:  # of one alone its answer is what one looks for next
            answer = completed.outcome.payload[:_ANSWER_BYTES].decode(errors="replace")
            more = " …" if len(completed.outcome.payload) > _ANSWER_BYTES else ""
            self._console.print(Text(f"     response: {printable(answer)}{more}"))
        self._last = report
        self._await_next()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._awaited.stop()
        if self._last is None:
            return
        report = self._last
        self._console.print(
            Text(
                f"In MB. used: Max Memory Used, by the {report.source}; accounting: {report.accounting}; "
                f"/tmp on {report.tmp.backing}; files: page cache of runtime and code",
                style="dim",
            )
        )


def _row(report: Report) -> Text:
    parts = report.memory
    init = "" if report.init_duration_ms is None else f"{report.init_duration_ms:.0f} ms"
    other = parts.shmem_bytes + parts.kernel_bytes + parts.platform_bytes
    cells = (
        str(report.invocation),
        f"{report.duration_ms:.1f} ms",
        init,
        str(report.max_memory_used_mib),
        _mb(parts.anon_bytes),
        _mb(parts.tmp_bytes),
        _mb(parts.file_bytes),
        _mb(other),
    )
    return Text("".join(f"{c:>{w}}" for c, (_, w) in zip(cells, _COLUMNS, strict=True)))


def _bar(report: Report) -> Text:
    text = Text("  ")
    share = report.peak_bytes / (report.memory_size_mib << 20)
    filled = min(_BAR, round(share * _BAR))
    style = "red" if share > 0.95 else "yellow" if share > 0.8 else "green"
    text.append("█" * filled, style=style).append("░" * (_BAR - filled), style="dim")
    return text.append(f" {share:.0%}")


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f}"


def _message(completed: Completed) -> str:
    response = parsed_response(completed.outcome.payload)
    message = response.get("errorMessage", "") if isinstance(response, dict) else response
    return str(message)[:300]
