"""The JSON objects of `--format json`: names are a contract (DESIGN, the command line)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from plimsoll.model import Cause, Completed, Evidence, Report, TmpFile, Verdict


def invocation_object(completed: Completed) -> dict[str, object]:
    """One invocation, named as AWS's `platform.report` names it, and ours beside it."""
    report = completed.report
    return {
        "type": "invocation",
        "requestId": report.request_id,
        "status": report.status,
        "errorType": report.error_type,
        "durationMs": round(report.duration_ms, 3),
        "billedDurationMs": report.billed_duration_ms,
        "initDurationMs": None
        if report.init_duration_ms is None
        else round(report.init_duration_ms, 3),
        "memorySizeMB": report.memory_size_mib,
        "maxMemoryUsedMB": report.max_memory_used_mib,
        "invocation": report.invocation,
        "environment": report.log_stream,
        "response": parsed_response(completed.outcome.payload),
        "memory": _memory(report),
        "tmp": {
            "backing": report.tmp.backing,
            "sizeBytes": report.tmp.size_bytes,
            "usedBytes": report.tmp.used_bytes,
            "files": [_file(file) for file in report.tmp.files],
            "filesTotal": report.tmp.files_total,
        },
    }


def verdict_object(verdict: Verdict) -> dict[str, object]:
    """The last line."""
    return {
        "type": "verdict",
        "kind": verdict.kind,
        "growthBytesPerInvocation": round(verdict.growth_bytes_per_invocation),
        "causes": [_cause(cause) for cause in verdict.causes],
        "invocationsUntilLimit": verdict.invocations_until_limit,
        "limit": verdict.limit,
        "confidence": verdict.confidence,
        "advice": verdict.advice,
    }


def parsed_response(payload: bytes) -> object:
    """The payload as JSON; as text where it is none, or nested deeper than Python follows."""
    text = payload.decode(errors="replace")
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(constant: str) -> NoReturn:
    """NaN and Infinity are Python's, and would be no JSON in our own line either."""
    raise ValueError(constant)


def _memory(report: Report) -> dict[str, object]:
    return {
        "peakBytes": report.peak_bytes,
        "invocationPeakBytes": report.invocation_peak_bytes,
        **{f"{name}Bytes": size for name, size in report.memory.parts().items()},
        "source": report.source,
        "accounting": report.accounting,
    }


def _file(file: TmpFile) -> dict[str, object]:
    return {
        "path": file.path,
        "bytes": file.bytes,
        "deltaBytes": file.delta_bytes,
        "deleted": file.deleted,
    }


def _cause(cause: Cause) -> dict[str, object]:
    return {
        "kind": cause.kind,
        "growthBytesPerInvocation": round(cause.growth_bytes_per_invocation),
        "evidence": [_evidence(item) for item in cause.evidence],
    }


def _evidence(item: Evidence) -> dict[str, object]:
    members = {
        "path": item.path,
        "file": item.file,
        "line": item.line,
        "function": item.function,
        "pid": item.pid,
        "command": item.command,
        "bytesPerInvocation": round(item.bytes_per_invocation),
    }
    return {name: value for name, value in members.items() if value is not None}
