"""Writes the text records of the log stream, byte for byte as today's AWS prints them.

Source: facts sheet B2, B3, B5, B6 (LocalStack's recordings of AWS 2023 to 2025-11, users' raw lines to 2026-10).
Rule: fields are separated by a TAB, and a TAB follows the last one, except after Status and Error Type.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from plimsoll.model import Report


def log_stream_name(version: str, moment: datetime, guid: str) -> str:
    """The stream of an environment made at `moment` (UTC); `guid` is 32 lower-case hex digits.

    >>> from datetime import datetime
    >>> log_stream_name("$LATEST", datetime(2026, 10, 8), "0" * 32)
    '2026/10/08/[$LATEST]00000000000000000000000000000000'
    """
    return f"{moment:%Y/%m/%d}/[{version}]{guid}"


def billed_ms(duration_ms: float, init_ms: float | None) -> int:
    """Billed Duration since 2025-08-01: init is billed with the invocation, and the sum is rounded up to 1 ms.

    >>> billed_ms(3.10, 542.01)
    546
    """
    # both as they are printed, or 3.0000001 would be billed as 4, and the line would not add up for its reader
    return math.ceil(round(round(duration_ms, 2) + round(init_ms or 0.0, 2), 2))


def init_start(runtime_version: str, arn: str) -> str:
    """The first event of a stream, and of each suppressed init's first one."""
    return f"INIT_START Runtime Version: {runtime_version}\tRuntime Version ARN: {arn}\n"


def init_report(duration_ms: float, phase: str, status: str, error_type: str | None = None) -> str:
    """A failed init. `phase` is `init` or `invoke` (the suppressed one), `status` `error` or `timeout`."""
    line = f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}\tStatus: {status}"
    return f"{line}\tError Type: {error_type}\n" if error_type else f"{line}\n"


def start(request_id: str, version: str) -> str:
    """The beginning of an invocation."""
    return f"START RequestId: {request_id} Version: {version}\n"


def end(request_id: str) -> str:
    """The end of an invocation; REPORT follows."""
    return f"END RequestId: {request_id}\n"


def report_line(report: Report) -> str:
    """The REPORT line. Status and Error Type stand there only for fatal ends (facts sheet B3)."""
    fields = [
        f"REPORT RequestId: {report.request_id}",
        f"Duration: {report.duration_ms:.2f} ms",
        f"Billed Duration: {report.billed_duration_ms} ms",
        f"Memory Size: {report.memory_size_mib} MB",
        f"Max Memory Used: {report.max_memory_used_mib} MB",
    ]
    if report.init_duration_ms is not None:
        fields.append(f"Init Duration: {report.init_duration_ms:.2f} ms")
    if not report.fatal:
        return "\t".join(fields) + "\t\n"
    fields.append(f"Status: {report.status}")
    if report.status == "error" and report.error_type:
        fields.append(f"Error Type: {report.error_type}")
    return "\t".join(fields) + "\n"
