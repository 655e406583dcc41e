"""The event: JSON from the command line, a file or standard input, passed on byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from typing import BinaryIO

EVENT_LIMIT_BYTES = 6_291_556
"""Facts sheet F2 and D1."""


def read_event(argument: str | None, stdin: BinaryIO) -> bytes:
    """`JSON`, `@file` or `-`; None is `{}`. Raises `CallerError` that points at what is wrong."""
    if argument is None:
        return b"{}"
    if argument == "-":
        name, raw = "standard input", stdin.read()
    elif argument.startswith("@"):
        name = argument[1:]
        try:
            raw = Path(name).read_bytes()
        except OSError as error:
            raise CallerError(f"the event file {name}: {error.strerror}") from error
    else:
        name, raw = "--event", argument.encode()
    if len(raw) > EVENT_LIMIT_BYTES:
        raise CallerError(
            f"the event is {len(raw)} bytes; Lambda takes {EVENT_LIMIT_BYTES} (RequestTooLargeException)"
        )
    _check(name, raw)
    return raw


def _check(name: str, raw: bytes) -> None:
    try:
        json.loads(raw, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise CallerError(f"{name} is not UTF-8: byte {error.start}") from error
    except json.JSONDecodeError as error:
        line = error.doc.splitlines()[error.lineno - 1] if error.doc.strip() else ""
        start = max(0, error.colno - 40)
        raise CallerError(
            f"{name} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}\n"
            f"  {line[start : start + 72]}\n  {' ' * (error.colno - 1 - start)}^"
        ) from error


def _refuse_constant(constant: str) -> NoReturn:
    raise CallerError(f"the event is not JSON: {constant} is no JSON number")
