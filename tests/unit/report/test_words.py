"""The verdict in plain words."""

from __future__ import annotations

from typing import get_args

import pytest

from plimsoll.model import Cause, Evidence, Kind, Verdict
from plimsoll.report import verdict_words
from plimsoll.report.words import headline, printable
from tests.unit.report.conftest import LEAK, MIB


@pytest.mark.parametrize(
    ("kind", "growth", "confidence", "words"),
    [
        ("none", 0.0, 0.85, "No growth (confidence 85%)"),
        ("plateau", 0.0, 0.9, "Grew, then stopped (confidence 90%)"),
        ("tmp", 10.0 * MIB, 0.92, "/tmp grows by 10.0 MB per invocation (confidence 92%)"),
        ("heap", 80.0 * 1024, 0.5, "The heap grows by 80 KB per invocation (confidence 50%)"),
        ("inconclusive", 0.0, 0.0, "Inconclusive"),
    ],
)
def test_headline(kind: Kind, growth: float, confidence: float, words: str) -> None:
    """What, how fast where it grows, and how sure where that is known."""
    causes = (Cause(kind, growth),) if growth else ()
    assert words == headline(Verdict(kind, growth, causes, None, None, confidence, ""))


def test_headline_of_several_causes() -> None:
    """Each cause has its own figure; none is given the sum."""
    causes = (Cause("heap", 1.9 * MIB), Cause("tmp", 1.5 * MIB), Cause("cache", 0.5 * MIB))
    assert headline(Verdict("heap", 3.9 * MIB, causes, None, None, 0.9, "")) == (
        "The heap grows by 1.9 MB, /tmp by 1.5 MB, page cache by 512 KB per invocation (confidence 90%)"
    )


@pytest.mark.parametrize("kind", [k for k in get_args(Kind) if k not in {"processes", "extension"}])
def test_every_kind_has_words(kind: Kind) -> None:
    """No kind that is judged today is printed as its bare identifier."""
    assert headline(Verdict(kind, 0.0, (), None, None, 0.0, "")) != kind


def test_verdict_words() -> None:
    """Headline, a line for each cause with its first evidence, and the advice, a thought a line."""
    assert verdict_words(LEAK) == (
        "Verdict: /tmp grows by 10.0 MB per invocation (confidence 92%)\n"
        "  tmp                10.0 MB per invocation   /tmp/test\n"
        "  · Not a heap leak\n"
        "  · /tmp/test grows"
    )


def test_names_cannot_bend_the_terminal() -> None:
    """A file's name with an escape or a newline stays in its line."""
    path = "/tmp/\x1b[2J\nVerdict: No growth\x07"
    cause = Cause("tmp", 1.0 * MIB, (Evidence(1.0 * MIB, path=path),))
    verdict = Verdict("tmp", 1.0 * MIB, (cause,), None, None, 0.5, f"{path} grows.")
    shown = r"/tmp/\x1b[2J\nVerdict: No growth\x07"
    assert verdict_words(verdict).splitlines()[1:] == [
        f"  tmp                 1.0 MB per invocation   {shown}",
        f"  · {shown} grows",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ä ✓ 日本 \\n", "ä ✓ 日本 \\n"),
        ("\x00\t\r\n\x1b\x7f\x9b", r"\x00\t\r\n\x1b\x7f\x9b"),
        ("\u202e\u2028\ud83d\U000e0001", r"\u202e\u2028\ud83d\U000e0001"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    """Letters of all scripts as they are; controls, line ends, turned directions, half characters as escapes."""
    assert shown == printable(text)


def test_causes_without_a_path() -> None:
    """A process is named by its command; a cause without evidence ends at its growth."""
    heap = Cause("heap", 2.0 * MIB, (Evidence(2.0 * MIB, command="node"),))
    verdict = Verdict(
        "heap", 3.0 * MIB, (heap, Cause("kernel", 1.0 * MIB)), 9, "memory", 0.5, "do."
    )
    assert verdict_words(verdict).splitlines()[1:] == [
        "  heap                2.0 MB per invocation   node",
        "  kernel              1.0 MB per invocation",
        "  · Do",
    ]
