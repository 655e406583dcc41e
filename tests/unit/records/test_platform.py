"""`platform.report` of the JSON log format (facts sheet B8)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plimsoll.records import Record, RecordKind, platform_report
from plimsoll.records.platform import read_platform_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.model import Report

ID = "8f507cfc-0000-4697-b07a-ac58fc914c95"


def test_warm_success(make_report: Callable[..., Report]) -> None:
    """A warm success has AWS's names and no init, and no error type."""
    report = make_report(request_id=ID, duration_ms=3.0123456, max_memory_used_mib=60)
    assert platform_report(report, 1_700_000_000_123) == {
        "time": "2023-11-14T22:13:20.123Z",
        "type": "platform.report",
        "record": {
            "requestId": ID,
            "metrics": {
                "durationMs": 3.012,
                "billedDurationMs": 4,
                "memorySizeMB": 128,
                "maxMemoryUsedMB": 60,
            },
            "status": "success",
        },
    }


def test_cold_failure(make_report: Callable[..., Report]) -> None:
    """A cold start tells its init, a failure its error type."""
    report = make_report(
        init_duration_ms=80.0, status="error", error_type="Runtime.ExitError", fatal=True
    )
    record = platform_report(report, 0)["record"]
    assert record == {
        "requestId": ID,
        "metrics": {
            "durationMs": 3.01,
            "billedDurationMs": 4,
            "memorySizeMB": 128,
            "maxMemoryUsedMB": 60,
            "initDurationMs": 80.0,
        },
        "status": "error",
        "errorType": "Runtime.ExitError",
    }


@given(
    duration_ms=st.floats(min_value=0, max_value=900_000),
    init_ms=st.none() | st.floats(min_value=0, max_value=900_000),
    used_mib=st.integers(min_value=1, max_value=10_240),
    end=st.sampled_from([("success", None), ("error", "Error"), ("timeout", "Sandbox.Timedout")]),
)
@example(duration_ms=0.0, init_ms=0.0, used_mib=1, end=("success", None))
def test_reads_back(
    make_report: Callable[..., Report],
    duration_ms: float,
    init_ms: float | None,
    used_mib: int,
    end: tuple[str, str | None],
) -> None:
    """What was written, sent as JSON and read gives the same values, to a microsecond."""
    report = make_report(
        duration_ms=duration_ms,
        init_duration_ms=init_ms,
        max_memory_used_mib=used_mib,
        status=end[0],
        error_type=end[1],
    )
    expected = Record(
        RecordKind.REPORT,
        request_id=report.request_id,
        duration_ms=round(duration_ms, 3),
        billed_duration_ms=4,
        init_duration_ms=None if init_ms is None else round(init_ms, 3),
        memory_size_mb=128,
        max_memory_used_mb=used_mib,
        status=end[0],
        error_type=end[1],
    )
    assert expected == read_platform_report(json.loads(json.dumps(platform_report(report, 0))))


def test_reads_a_recorded_event() -> None:
    """An out-of-memory event as a user of AWS logged it in 2024."""
    event = {
        "type": "platform.report",
        "record": {
            "requestId": ID,
            "metrics": {
                "durationMs": 32973.233,
                "billedDurationMs": 32974,
                "memorySizeMB": 128,
                "maxMemoryUsedMB": 125,
            },
            "status": "error",
            "errorType": "Runtime.OutOfMemory",
        },
    }
    expected = Record(
        RecordKind.REPORT,
        ID,
        32973.233,
        32974,
        None,
        None,
        128,
        125,
        "error",
        "Runtime.OutOfMemory",
    )
    assert expected == read_platform_report(event)


@pytest.mark.parametrize("event", [{}, {"type": "platform.start", "record": {}}, {"level": "INFO"}])
def test_other_events_are_none(event: dict[str, object]) -> None:
    """Any other event is no report."""
    assert read_platform_report(event) is None
