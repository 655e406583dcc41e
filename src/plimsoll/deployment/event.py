"""The event: JSON from the command line, a file or standard input, passed on byte for byte."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from typing import BinaryIO

EVENT_LIMIT_BYTES = 6_291_556
"""Facts sheet F2 and D1."""


def read_event(argument: str | None, stdin: BinaryIO | None) -> bytes:
    """`JSON`, `@file` or `-`; None is `{}`. `stdin` is None where it is closed.

    Raises `CallerError` that points at what is wrong.
    """
    if argument is None:
        return b"{}"
    if argument == "-":
        name, raw = "standard input", _read(stdin)
    elif argument.startswith("@"):
        name = argument[1:]
        try:
            raw = Path(name).read_bytes()
        except OSError as error:
            raise CallerError(f"the event file {name}: {error.strerror}") from error
    else:
        name, raw = "--event", os.fsencode(argument)
    if len(raw) > EVENT_LIMIT_BYTES:
        raise CallerError(
            f"the event is {len(raw)} bytes; Lambda takes {EVENT_LIMIT_BYTES} (RequestTooLargeException)"
        )
    _check(name, raw)
    return raw


def _read(stdin: BinaryIO | None) -> bytes:
    if stdin is None:
        raise CallerError("--event -: standard input is closed")
    try:
        return stdin.read()
    except OSError as error:
        raise CallerError(f"--event -: standard input cannot be read: {error.strerror}") from error


def _check(name: str, raw: bytes) -> None:
    try:
        # decoded here, since json itself would also take UTF-16; numbers of any length, since they are passed on
        json.loads(raw.decode(), parse_constant=_refuse_constant, parse_int=str)
    except UnicodeDecodeError as error:
        raise CallerError(f"{name} is not UTF-8: byte {error.start}") from error
    except json.JSONDecodeError as error:
        line = error.doc.split("\n")[error.lineno - 1]
        start = max(0, error.colno - 40)
        raise CallerError(
            f"{name} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}\n"
            f"  {line[start : start + 72]}\n  {' ' * (error.colno - 1 - start)}^"
        ) from error
    except RecursionError as error:
        raise CallerError(f"{name} is nested too deeply") from error


def _refuse_constant(constant: str) -> NoReturn:
    raise CallerError(f"the event is not JSON: {constant} is no JSON number")
