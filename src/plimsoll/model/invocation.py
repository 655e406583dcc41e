"""The two values that cross the house: an `Invocation` goes down, a `Completed` comes up."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from plimsoll.model.memory import Accounting, MemoryBreakdown, ProcessMemory, Source
    from plimsoll.model.tmp import TmpUsage

Status = Literal["success", "error", "timeout"]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event on its way to one environment."""

    payload: bytes = b"{}"
    """The event, JSON as UTF-8 bytes."""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    invoked_arn: str | None = None
    """The ARN as invoked, with its qualifier if there was one; default: the function's own."""
    trace_id: str | None = None
    client_context: str | None = None
    """Decoded JSON, as the header of the Runtime API carries it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation ended, seen from the caller."""

    status: Status
    payload: bytes
    """The response, or the error object, as the caller gets it."""
    error_type: str | None = None
    """AWS's or the function's own error type; None on success."""
    fatal: bool = False
    """The environment was reset or replaced: timeout, exit, out of memory, failed init. Only these put a
    Status into the REPORT line (facts sheet B3); an error that the handler raised does not."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event of the environment's log stream; `message` keeps its own newline."""

    timestamp_ms: int
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What one invocation cost, measured once; every table, line, chart and JSON object renders this.

    Durations are milliseconds, sizes bytes unless the name says MiB.
    """

    request_id: str
    function_name: str
    version: str
    log_stream: str
    """Names the environment: one stream for its whole life."""
    invocation: int
    """Counting from 1 in its environment."""
    status: Status
    error_type: str | None
    fatal: bool
    """See `Outcome.fatal`."""
    duration_ms: float
    billed_duration_ms: int
    init_duration_ms: float | None
    """Only on the invocation that had a normal (not suppressed) init."""
    memory_size_mib: int
    max_memory_used_mib: int
    """The environment's high-water mark since its processes started."""
    peak_bytes: int
    """The same in bytes; equals `memory.total_bytes`."""
    invocation_peak_bytes: int
    """The peak of this invocation alone."""
    memory: MemoryBreakdown
    """The split of `peak_bytes`."""
    at_end: MemoryBreakdown
    """The split of what was in use when the invocation ended: the series that growth is judged on."""
    source: Source
    """Where `peak_bytes` comes from."""
    invocation_source: Source
    """Where `invocation_peak_bytes` comes from."""
    accounting: Accounting
    tmp: TmpUsage
    processes: tuple[ProcessMemory, ...] = ()
    """Known where somebody asked; never read on the invoke path."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The answer to an `Invocation`: what the caller gets, what it cost, what was logged."""

    outcome: Outcome
    report: Report
    logs: tuple[LogEvent, ...] = ()
    """The log stream's events from START (or INIT_START) to REPORT, as CloudWatch shows them."""
