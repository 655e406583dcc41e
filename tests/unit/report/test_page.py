"""The HTML page: one file, no script, everything from outside escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from plimsoll.model import TmpFile, TmpUsage
from plimsoll.report.page import render_page
from tests.unit.report.conftest import LEAK, MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.model import Completed


def cells(page: str, tag: str) -> list[str]:
    """The text of all cells of one kind."""
    return re.findall(f"<{tag}>(.*?)</{tag}>", page)


def test_page(make_completed: Callable[..., Completed]) -> None:
    """Headline, advice a thought a line, the picture as it was given, and a row an invocation."""
    page = render_page("<svg/>", [make_completed()], LEAK, "f, 128 MB")
    assert cells(page, "h1") == ["/tmp grows by 10.0 MB per invocation (confidence 92%)"]
    assert "<ul class='advice'><li>Not a heap leak</li><li>/tmp/test grows</li></ul>" in page
    assert "<figure><svg/></figure>" in page
    assert cells(page, "td") == [
        *("1", "3.01", "", "4", "60"),
        *("20.0", "0.0", "0.0", "40.0", "0.0", "0.0", "success"),
    ]
    assert len(cells(page, "th")) == len(cells(page, "td"))
    assert "<p>None.</p>" in page


def test_failure_is_marked(make_completed: Callable[..., Completed]) -> None:
    """A fatal end's row is marked and names its error type; a handler's error is named alone."""
    fatal = make_completed(status="error", error_type="Runtime.OutOfMemory", fatal=True)
    handled = make_completed(status="error", error_type="Error", init_duration_ms=9.5)
    page = render_page("", [fatal, handled], LEAK, "f")
    assert page.count("<tr class='fatal'>") == 1
    assert cells(page, "td")[11::12] == ["error: Runtime.OutOfMemory", "error: Error"]
    assert cells(page, "td")[14] == "9.50"


def test_a_new_environment_is_a_row(make_completed: Callable[..., Completed]) -> None:
    """Where the log stream changes a row across the table says so; the figures' origin stands below."""
    run = [make_completed(), make_completed(invocation=2), make_completed(log_stream="other")]
    page = render_page("", run, LEAK, "f")
    rows = re.findall(r"<tr.*?</tr>", page)
    announced = "<tr><td colspan='12' class='quiet'>a new environment</td></tr>"
    assert [row == announced for row in rows] == [False, False, False, True, False]
    assert "Max Memory Used, by the kernel; accounting: shared; /tmp on tmpfs." in page


def test_files_at_the_end(make_completed: Callable[..., Completed]) -> None:
    """The last invocation's files with what they gained; a deleted one says so."""
    files = (
        TmpFile("/tmp/test", 20 * MIB, 10 * MIB),
        TmpFile("/tmp/gone", 5 * MIB, -MIB, deleted=True),
    )
    usage = TmpUsage("tmpfs", 512 * MIB, 25 * MIB, files, 2)
    page = render_page("", [make_completed(), make_completed(tmp=usage)], LEAK, "f")
    assert cells(page, "td")[24:] == [
        *("20.0", "+10.0", "/tmp/test"),
        *("5.0", "-1.0", "/tmp/gone (deleted, still open)"),
    ]


def test_everything_is_escaped(make_completed: Callable[..., Completed]) -> None:
    """A title, an error type and a file's name are text, whatever they hold."""
    evil = "<script>alert('&')</script>"
    usage = TmpUsage("tmpfs", 1, 1, (TmpFile(evil, 1, 1),), 1)
    page = render_page("", [make_completed(error_type=evil, tmp=usage)], LEAK, evil)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;") == 4
