"""The table on the terminal: a row an invocation, plain where it is no terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from plimsoll.model import MemoryBreakdown
from plimsoll.report import LiveTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.model import Completed

MIB = 1 << 20
HEAD = [
    "f  nodejs20.x",
    "   #   duration     init    used   heap   /tmp  files  other  of the limit",
]
ROW = "   1     3.0 ms               60   20.0    0.0   40.0    0.0  ██████░░░░░░ 47%"
HIDE_CURSOR, SHOW_CURSOR, ERASE_LINE = "\x1b[?25l", "\x1b[?25h", "\x1b[2K"
FOOT = (
    "In MB. used: Max Memory Used, by the kernel; accounting: shared; /tmp on tmpfs; "
    "files: page cache of runtime and code"
)


def printed(*run: Completed) -> list[str]:
    """What a table of this run prints where there are no colours."""
    console = Console(file=io.StringIO(), width=200, highlight=False, soft_wrap=True)
    with LiveTable("f  nodejs20.x", console) as table:
        for completed in run:
            table.add(completed)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_run(make_completed: Callable[..., Completed]) -> None:
    """Title, heads, a row, and a footer that names where the figures come from."""
    assert printed(make_completed()) == [*HEAD, ROW, FOOT]


def test_nothing_was_invoked() -> None:
    """A run that broke off before its first row has no footer."""
    assert printed() == HEAD


def test_every_part_is_in_the_row(make_completed: Callable[..., Completed]) -> None:
    """Parts without a column of their own are added up under `other`; init stands where there was one."""
    split = MemoryBreakdown(10 * MIB, 20 * MIB, MIB, 40 * MIB, 2 * MIB, 4 * MIB)
    row = printed(make_completed(split=split, init_duration_ms=110.1, invocation=12))[2]
    assert row.split()[:10] == ["12", "3.0", "ms", "110", "ms", "77", "10.0", "20.0", "40.0", "7.0"]


@pytest.mark.parametrize(
    ("used_mib", "bar"),
    [
        (1, "░░░░░░░░░░░░ 1%"),
        (64, "██████░░░░░░ 50%"),
        (128, "████████████ 100%"),
        (160, "████████████ 125%"),
    ],
)
def test_bar(make_completed: Callable[..., Completed], used_mib: int, bar: str) -> None:
    """The bar is the share of the limit, and never longer than full."""
    row = printed(make_completed(split=MemoryBreakdown(anon_bytes=used_mib * MIB)))[2]
    assert bar == " ".join(row.split()[-2:])


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (b'{"errorMessage":"no","errorType":"E"}', "     E: no"),
        (b'{"errorType":"E"}', "     E: "),
        (b"[1]", "     E: [1]"),
        (b"[bold]no[/]", "     E: [bold]no[/]"),
        (rb'{"errorMessage":"half \ud83d"}', r"     E: half \ud83d"),
        (rb'{"errorMessage":"\u001b[2J\n   2 \u0007"}', r"     E: \x1b[2J\n   2 \x07"),
        (rb'{"errorMessage":"a\u202eb\u2028"}', r"     E: a\u202eb\u2028"),
        (b'{"errorMessage":"' + b"x" * 301 + b'"}', "     E: " + "x" * 300),
    ],
)
def test_failure(make_completed: Callable[..., Completed], payload: bytes, line: str) -> None:
    """A failure's type and message stand below its row, as they are; a long one cut, what cannot be printed escaped."""
    lines = printed(make_completed(payload, status="error", error_type="E"))
    assert [*HEAD, ROW, line, FOOT] == lines


def test_an_error_type_cannot_bend_the_terminal(make_completed: Callable[..., Completed]) -> None:
    """The type is the function's own word too, and the title may hold any handler's name."""
    console = Console(file=io.StringIO(), width=200, highlight=False, soft_wrap=True)
    with LiveTable("f \x1b[2J\udcff", console) as table:
        table.add(make_completed(b"{}", status="error", error_type="E\r\x1b[1A"))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert (lines[0], lines[3]) == (r"f \x1b[2J\udcff", r"     E\r\x1b[1A: ")


@pytest.mark.parametrize(("width", "has_bar"), [(79, True), (78, False), (40, False)])
def test_a_narrow_terminal_has_no_bar(
    make_completed: Callable[..., Completed],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    has_bar: bool,
) -> None:
    """Where the row would be broken the bar is left out, and its head with it."""
    monkeypatch.setenv("TERM", "xterm-256color")
    console = Console(file=io.StringIO(), force_terminal=True, width=width, soft_wrap=True)
    with LiveTable("f", console) as table:
        table.add(make_completed())
    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue()
    assert [word in written for word in ("40.0", "█", "%", "of the limit")] == [True] + 3 * [
        has_bar
    ]


def test_elsewhere_the_bar_stays(make_completed: Callable[..., Completed]) -> None:
    """A file or a pipe has no width."""
    console = Console(file=io.StringIO(), width=40, highlight=False, soft_wrap=True)
    with LiveTable("f  nodejs20.x", console) as table:
        table.add(make_completed())
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == [*HEAD, ROW, FOOT]


@pytest.mark.parametrize(
    ("payload", "shown"),
    [(b'{"ok":true}', '{"ok":true}'), (b"x" * 301, "x" * 300 + " …"), (b'"\x1b[2J"', '"\\x1b[2J"')],
    ids=["whole", "cut", "escaped"],
)
def test_the_response_of_one_alone(
    make_completed: Callable[..., Completed], payload: bytes, shown: str
) -> None:
    """Where one invocation is all there will be, its response stands below its row, cut and printable."""
    console = Console(file=io.StringIO(), width=200, highlight=False, soft_wrap=True)
    with LiveTable("f  nodejs20.x", console, most=1) as table:
        table.add(make_completed(payload))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines()[3] == f"     response: {shown}"


def test_new_environment(make_completed: Callable[..., Completed]) -> None:
    """Where an environment was replaced, that is said between the rows."""
    lines = printed(make_completed(), make_completed(), make_completed(log_stream="other"))
    assert lines[2:6] == [ROW, ROW, "     a new environment, with an empty /tmp", ROW]


def test_on_a_terminal_it_tells_what_is_awaited(
    make_completed: Callable[..., Completed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the rows a line counts the invocations; it is gone at the end, and the cursor is back."""
    monkeypatch.setenv("TERM", "xterm-256color")
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=200, highlight=False, soft_wrap=True)
    with LiveTable("f  nodejs20.x", console, most=2) as table:
        assert file.getvalue().endswith(HIDE_CURSOR)
        table.add(make_completed())
        table.add(make_completed())
    written = file.getvalue()
    assert written.index("47%") < written.index("invocation 1 of 2 …")
    assert "invocation 3" not in written
    end = written[written.rindex("invocation 2 of 2 …") :]
    assert end.index(SHOW_CURSOR) < end.index(ERASE_LINE) < end.index(FOOT)


def test_elsewhere_nothing_is_awaited(make_completed: Callable[..., Completed]) -> None:
    """What is no terminal gets rows and no control characters."""
    assert not any("\x1b" in line or "invocation" in line for line in printed(make_completed()))
