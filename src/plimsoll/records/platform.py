"""The JSON log format's `platform.report`, written from the one `Report` and read back.

Source: facts sheet B8 (DG/telemetry-schema-reference). The rest of the family comes with the JSON log format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plimsoll import clock
from plimsoll.records.parse import Record, RecordKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from plimsoll.model import Report


def platform_report(report: Report, timestamp_ms: int) -> dict[str, object]:
    """The event as a JSON object."""
    metrics: dict[str, object] = {
        "durationMs": round(report.duration_ms, 3),
        "billedDurationMs": report.billed_duration_ms,
        "memorySizeMB": report.memory_size_mib,
        "maxMemoryUsedMB": report.max_memory_used_mib,
    }
    if report.init_duration_ms is not None:
        metrics["initDurationMs"] = round(report.init_duration_ms, 3)
    record: dict[str, object] = {
        "requestId": report.request_id,
        "metrics": metrics,
        "status": report.status,
    }
    if report.error_type is not None:
        record["errorType"] = report.error_type
    return {"time": clock.iso_ms(timestamp_ms), "type": "platform.report", "record": record}


def read_platform_report(event: Mapping[str, Any]) -> Record | None:
    """A `platform.report` event to the same value that a REPORT line gives; None for any other event."""
    if event.get("type") != "platform.report":
        return None
    record = event["record"]
    metrics = record.get("metrics", {})
    return Record(
        kind=RecordKind.REPORT,
        request_id=record.get("requestId"),
        duration_ms=metrics.get("durationMs"),
        billed_duration_ms=metrics.get("billedDurationMs"),
        init_duration_ms=metrics.get("initDurationMs"),
        restore_duration_ms=metrics.get("restoreDurationMs"),
        memory_size_mb=metrics.get("memorySizeMB"),
        max_memory_used_mb=metrics.get("maxMemoryUsedMB"),
        status=record.get("status"),
        error_type=record.get("errorType"),
    )
