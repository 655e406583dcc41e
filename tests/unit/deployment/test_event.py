"""The event is checked and passed on byte for byte."""

from __future__ import annotations

import errno
import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.deployment import read_event
from plimsoll.deployment.event import EVENT_LIMIT_BYTES
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = io.BytesIO()
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def refusal(argument: str, stdin: bytes = b"") -> str:
    """What `read_event` says against an argument."""
    with pytest.raises(CallerError) as caught:
        read_event(argument, io.BytesIO(stdin))
    return caught.value.message


def test_default() -> None:
    """Without an event it is the empty object."""
    assert read_event(None, NOTHING) == b"{}"


def test_from_a_file(tmp_path: Path) -> None:
    """`@file` is the file's bytes, blanks and all."""
    (tmp_path / "event.json").write_bytes(b' {"a":\t1}\n')
    assert read_event(f"@{tmp_path}/event.json", NOTHING) == b' {"a":\t1}\n'


def test_from_standard_input() -> None:
    """`-` is all of standard input."""
    assert read_event("-", io.BytesIO(b'{"a": "\xc3\xa9"}')) == b'{"a": "\xc3\xa9"}'


@given(JSON, st.booleans())
def test_any_json_passes_unchanged(value: object, ascii_only: bool) -> None:
    """Every JSON value, escaped or not, comes out as the bytes that went in."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert text.encode() == read_event(text, NOTHING)


@pytest.mark.parametrize("text", ["9" * 5000, "1e999", '"\\ud800"', "null", "[]"])
def test_unusual_json_passes(text: str) -> None:
    """JSON that Python would not hold as it is, a long number or half a surrogate, is passed on all the same."""
    assert text.encode() == read_event(text, NOTHING)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{'a': 1}",
            "--event is not JSON: Expecting property name enclosed in double quotes at line 1, column 2\n"
            "  {'a': 1}\n   ^",
        ),
        ("", "--event is not JSON: Expecting value at line 1, column 1\n  \n  ^"),
        ("[1,\n", "--event is not JSON: Expecting value at line 2, column 1\n  \n  ^"),
        (
            '{"a": 1}\n{"b": 2}',
            '--event is not JSON: Extra data at line 2, column 1\n  {"b": 2}\n  ^',
        ),
        (
            '["' + "x" * 60 + '" 1]',
            "--event is not JSON: Expecting ',' delimiter at line 1, column 65\n"
            f'  {"x" * 37}" 1]\n  {" " * 39}^',
        ),
        (
            '["\u2028" 1]',
            "--event is not JSON: Expecting ',' delimiter at line 1, column 6\n"
            '  ["\u2028" 1]\n       ^',
        ),
        ("[NaN]", "the event is not JSON: NaN is no JSON number"),
        ("-Infinity", "the event is not JSON: -Infinity is no JSON number"),
        ("[" * 100_000, "--event is nested too deeply"),
        ('"\udcff"', "--event is not UTF-8: byte 1"),
    ],
    ids=["quotes", "empty", "cut", "two", "long", "separator", "nan", "infinity", "deep", "bytes"],
)
def test_what_is_no_json(text: str, message: str) -> None:
    """The refusal shows the line, and a caret under the column, of a long line the part around it."""
    assert message == refusal(text)


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (b'{"a": "\xff"}', "standard input is not UTF-8: byte 7"),
        ('{"a": 1}'.encode("utf-16"), "standard input is not UTF-8: byte 0"),
        (
            '{"a": 1}'.encode("utf-8-sig"),
            "standard input is not JSON: Unexpected UTF-8 BOM (decode using utf-8-sig) at line 1, column 1\n"
            '  \ufeff{"a": 1}\n  ^',
        ),
    ],
    ids=["latin-1", "utf-16", "byte-order-mark"],
)
def test_other_encodings(stdin: bytes, message: str) -> None:
    """Lambda takes UTF-8 alone: what a lenient reader would let through, the function would not read."""
    assert message == refusal("-", stdin)


class Unreadable(io.BytesIO):
    """A standard input like the terminal's in the background."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


def test_standard_input_that_cannot_be_read() -> None:
    """A standard input that is closed, or breaks, is told for what it is."""
    with pytest.raises(CallerError) as caught:
        read_event("-", None)
    assert caught.value.message == "--event -: standard input is closed"
    with pytest.raises(CallerError) as caught:
        read_event("-", Unreadable())
    assert caught.value.message == "--event -: standard input cannot be read: Input/output error"


def test_file_that_is_missing(tmp_path: Path) -> None:
    """The refusal names the file."""
    assert refusal(f"@{tmp_path}/no.json") == (
        f"the event file {tmp_path}/no.json: No such file or directory"
    )


@pytest.mark.parametrize("over", [0, 1])
def test_limit(over: int) -> None:
    """6 MB and what AWS's check leaves on top; not a byte more."""
    raw = b'"' + b"x" * (EVENT_LIMIT_BYTES - 2 + over) + b'"'
    if over:
        assert refusal("-", raw) == (
            "the event is 6291557 bytes; Lambda takes 6291556 (RequestTooLargeException)"
        )
    else:
        assert read_event("-", io.BytesIO(raw)) == raw
