"""The picture of a run, by the ending of its file."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import CallerError
from plimsoll.model import MemoryBreakdown
from plimsoll.report import check_report_path, invocation_object, verdict_object, write_report
from plimsoll.report.chart import PARTS
from tests.unit.report.conftest import LEAK, MIB

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plimsoll.model import Completed


def refusal(path: Path) -> tuple[str, str | None]:
    """What `check_report_path` says against a path, and what mends it."""
    with pytest.raises(CallerError) as caught:
        check_report_path(path)
    return caught.value.message, caught.value.mend


def test_every_part_is_drawn() -> None:
    """The picture stacks all parts of a figure, so that the stack is the figure."""
    assert set(PARTS) == set(MemoryBreakdown().parts())


@pytest.mark.parametrize("name", ["out.html", "out.svg", "out.png", "out.json"])
def test_paths_that_can_be_written(tmp_path: Path, name: str) -> None:
    """Each kind is taken before anything is run, and nothing is written by the check."""
    check_report_path(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_unknown_ending(tmp_path: Path) -> None:
    """Another ending is refused with those that there are."""
    path = tmp_path / "out.pdf"
    assert refusal(path) == (f"--report {path}: it ends in one of .html, .svg, .png, .json", None)


def test_missing_folder(tmp_path: Path) -> None:
    """A folder that is not there is named before the run, not after it."""
    path = tmp_path / "no/out.json"
    assert refusal(path) == (
        f"--report {path}: the folder {tmp_path}/no is missing or cannot be written",
        None,
    )


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without altair a picture is refused with what to install; data needs no extra."""
    monkeypatch.setitem(sys.modules, "altair", None)
    assert refusal(tmp_path / "out.svg") == (
        "pictures need the extra `chart`",
        "scripts/setup chart, or pip install altair vl-convert-python",
    )
    check_report_path(tmp_path / "out.json")


def test_json(tmp_path: Path, make_completed: Callable[..., Completed]) -> None:
    """The data are the objects that `--format json` prints, in one file."""
    run = [make_completed(), make_completed(invocation=2)]
    write_report(tmp_path / "out.json", run, LEAK, "f")
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "invocations": [invocation_object(completed) for completed in run],
        "verdict": verdict_object(LEAK),
    }


def test_svg(tmp_path: Path, make_completed: Callable[..., Completed]) -> None:
    """The picture says the verdict, the limit and the parts that are there, and marks a kill."""
    split = MemoryBreakdown(anon_bytes=20 * MIB, tmp_bytes=100 * MIB)
    killed = {"status": "error", "error_type": "Runtime.OutOfMemory", "fatal": True}
    run = [make_completed(), make_completed(invocation=2, split=split, **killed)]
    write_report(tmp_path / "out.svg", run, LEAK, "f, 128 MB")
    svg = (tmp_path / "out.svg").read_text()
    said = ["/tmp grows by 10.0 MB per invocation (confidence 92%)", "f, 128 MB"]
    said += ["memory limit 128 MB", "heap and stacks", "page cache of runtime and code", "killed"]
    assert [text for text in said if f">{text}<" not in svg] == []
    assert ">platform<" not in svg


def test_diamonds_are_at_the_peak(
    tmp_path: Path, make_completed: Callable[..., Completed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A diamond is on top of its bar, to the byte; what it says is Max Memory Used."""
    vl_convert = pytest.importorskip("vl_convert")
    drawn: list[str] = []

    def draw(spec: str) -> str:
        drawn.append(spec)
        return "<svg>"

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", draw)
    split = MemoryBreakdown(anon_bytes=20 * MIB + MIB * 3 // 4)
    write_report(tmp_path / "out.svg", [make_completed(split=split)], LEAK, "f")
    (point,) = (
        layer for layer in json.loads(drawn[0])["layer"] if layer["mark"]["type"] == "point"
    )
    assert point["data"]["values"] == [{"n": 1, "mb": 20.75, "used": 20}]
    assert point["encoding"]["tooltip"] == {
        "field": "used",
        "title": "Max Memory Used",
        "type": "quantitative",
    }


def test_a_new_environment_is_marked(
    tmp_path: Path, make_completed: Callable[..., Completed]
) -> None:
    """Where the log stream changes the picture says so, once; in one environment it says nothing."""
    run = [make_completed(), make_completed(invocation=2)]
    write_report(tmp_path / "one.svg", run, LEAK, "f")
    assert ">new environment<" not in (tmp_path / "one.svg").read_text()
    run += [make_completed(log_stream="other"), make_completed(log_stream="other", invocation=2)]
    write_report(tmp_path / "two.svg", run, LEAK, "f")
    assert (tmp_path / "two.svg").read_text().count(">new environment<") == 1


def test_half_a_character(tmp_path: Path, make_completed: Callable[..., Completed]) -> None:
    """A title that no encoding can hold is written with a question mark."""
    write_report(tmp_path / "out.html", [make_completed()], LEAK, "f\udcff")
    assert "<title>f?: " in (tmp_path / "out.html").read_text()


def test_html(tmp_path: Path, make_completed: Callable[..., Completed]) -> None:
    """The page holds the picture itself, so that it is one file."""
    write_report(tmp_path / "out.html", [make_completed()], LEAK, "f")
    page = (tmp_path / "out.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "<figure><svg " in page


def test_folder_that_went_away(tmp_path: Path, make_completed: Callable[..., Completed]) -> None:
    """What cannot be written after all is told in the same form."""
    path = tmp_path / "no/out.json"
    with pytest.raises(CallerError) as caught:
        write_report(path, [make_completed()], LEAK, "f")
    assert caught.value.message == f"--report {path}: No such file or directory"
