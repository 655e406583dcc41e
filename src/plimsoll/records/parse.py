"""Reads text records of any year back into values; what is no record is None.

Rule: fields in any order, unknown ones kept; TABs or the blanks that copying made of them. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class RecordKind(Enum):
    """The word that a record begins with, or the old error lines' own."""

    INIT_START = "INIT_START"
    INIT_REPORT = "INIT_REPORT"
    RESTORE_START = "RESTORE_START"
    RESTORE_REPORT = "RESTORE_REPORT"
    START = "START"
    END = "END"
    REPORT = "REPORT"
    EXTENSION = "EXTENSION"
    TELEMETRY = "TELEMETRY"
    TIMED_OUT = "Task timed out"
    EXITED = "Runtime exited"


@dataclass(frozen=True, slots=True)
class Record:
    """One record. Times are ms, sizes MB as printed; None where the record does not say."""

    kind: RecordKind
    request_id: str | None = None
    duration_ms: float | None = None
    billed_duration_ms: float | None = None
    init_duration_ms: float | None = None
    restore_duration_ms: float | None = None
    memory_size_mb: int | None = None
    max_memory_used_mb: int | None = None
    status: str | None = None
    error_type: str | None = None
    phase: str | None = None
    version: str | None = None
    message: str | None = None
    """Of the old error lines."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Fields that have no name here, as printed."""


_HEAD = re.compile(
    r"(?P<kind>INIT_START|INIT_REPORT|RESTORE_START|RESTORE_REPORT|START|END|REPORT|EXTENSION|TELEMETRY)\b"
)
_TIMED_OUT = re.compile(
    r"(?:\S+Z\s+)?(?P<id>[0-9a-f-]{36}) (?P<text>Task timed out after (?P<s>\d+(?:\.\d+)?) seconds)"
)
_EXITED = re.compile(
    r"RequestId: (?P<id>[0-9a-f-]{36})\s+(?:Error: )?"
    r"(?P<text>Runtime exited[^\n]*|Process exited before completing request)(?:\n(?P<type>[\w.]+))?"
)
_NAMES = (
    "RequestId", "Billed Restore Duration", "Billed Duration", "Restore Duration", "Init Duration",
    "Duration", "Memory Size", "Max Memory Used", "Phase", "Status", "Error Type", "Version",
    "Runtime Version ARN", "Runtime Version", "XRAY TraceId", "SegmentId", "Sampled", "Name", "State",
    "Events", "Types",
)  # fmt: skip
_FIELD = re.compile(rf"(?:(?<=[\t\n ])|^)({'|'.join(_NAMES)}): ")
_NUMBERS = {
    "Duration": "duration_ms",
    "Billed Duration": "billed_duration_ms",
    "Init Duration": "init_duration_ms",
    "Restore Duration": "restore_duration_ms",
}
_SIZES = {"Memory Size": "memory_size_mb", "Max Memory Used": "max_memory_used_mb"}
_WORDS = {
    "RequestId": "request_id",
    "Status": "status",
    "Error Type": "error_type",
    "Phase": "phase",
    "Version": "version",
}


def parse(message: str) -> Record | None:
    """One log event's message, to a record; None for the application's own output.

    >>> parse("END RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\\n").kind
    <RecordKind.END: 'END'>
    >>> parse("hello") is None
    True
    """
    head = _HEAD.match(message)
    if head is None:
        return _old_error(message)
    try:
        named, more = _fields(message[head.end() :].strip())
    except (ValueError, IndexError):
        return None  # an application line that has the word and a name, but no figure
    if not named and not more:
        return None  # an application line that begins with the word
    return Record(kind=RecordKind(head["kind"]), more=more, **named)  # type: ignore[arg-type]


def _fields(text: str) -> tuple[dict[str, object], dict[str, str]]:
    named: dict[str, object] = {}
    more: dict[str, str] = {}
    pieces = _FIELD.split(text)[1:]
    for name, raw in zip(pieces[::2], pieces[1::2], strict=True):
        value, *unknowns = raw.strip().split("\t")
        if name in _NUMBERS:
            named[_NUMBERS[name]] = float(value.split()[0])
        elif name in _SIZES:
            named[_SIZES[name]] = int(value.split()[0])
        elif name in _WORDS:
            named[_WORDS[name]] = value
        else:
            more[name] = value
        for unknown in unknowns:
            key, colon, rest = unknown.partition(": ")
            if colon:
                more[key] = rest.strip()
    return named, more


def _old_error(message: str) -> Record | None:
    timed_out = _TIMED_OUT.match(message)
    if timed_out:
        return Record(
            RecordKind.TIMED_OUT,
            request_id=timed_out["id"],
            duration_ms=float(timed_out["s"]) * 1000,
            status="timeout",
            message=timed_out["text"],
        )
    exited = _EXITED.match(message)
    if exited:
        return Record(
            RecordKind.EXITED,
            request_id=exited["id"],
            status="error",
            error_type=exited["type"],
            message=exited["text"],
        )
    return None
