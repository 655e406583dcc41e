"""The text records, byte for byte as AWS prints them (facts sheet B2, B3, B5, B6)."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.records import billed_ms, log_stream_name, parse, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.model import Report

ID = "8f507cfc-0000-4697-b07a-ac58fc914c95"
DURATIONS = st.floats(min_value=0, max_value=900_000)


def test_init_start() -> None:
    """The stream's first event names the runtime's version and its ARN, a TAB between them."""
    arn = "arn:aws:lambda:us-east-1::runtime:" + "0" * 64
    line = text.init_start("python:3.13.v50", arn)
    assert line == (
        "INIT_START Runtime Version: python:3.13.v50\tRuntime Version ARN: "
        "arn:aws:lambda:us-east-1::runtime:"
        "0000000000000000000000000000000000000000000000000000000000000000\n"
    )


def test_start() -> None:
    """START has blanks and no TAB."""
    assert text.start(ID, "$LATEST") == f"START RequestId: {ID} Version: $LATEST\n"


def test_end() -> None:
    """END has the request id alone, and no TAB."""
    assert text.end(ID) == f"END RequestId: {ID}\n"


@pytest.mark.parametrize(
    ("measured", "line"),
    [
        (
            {"duration_ms": 3.01, "billed_duration_ms": 114, "init_duration_ms": 110.1},
            "Duration: 3.01 ms\tBilled Duration: 114 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 36 MB\tInit Duration: 110.10 ms\t\n",
        ),
        (
            {"duration_ms": 1.22, "billed_duration_ms": 2},
            "Duration: 1.22 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 36 MB\t\n",
        ),
        (
            {"status": "error", "error_type": "ClientError"},
            "Duration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 36 MB\t\n",
        ),
        (
            {
                "duration_ms": 133.61,
                "billed_duration_ms": 214,
                "init_duration_ms": 80.0,
                "status": "error",
                "error_type": "Runtime.ExitError",
                "fatal": True,
                "max_memory_used_mib": 31,
            },
            "Duration: 133.61 ms\tBilled Duration: 214 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 31 MB\tInit Duration: 80.00 ms\t"
            "Status: error\tError Type: Runtime.ExitError\n",
        ),
        (
            {
                "duration_ms": 600_000.0,
                "billed_duration_ms": 600_517,
                "init_duration_ms": 516.31,
                "status": "timeout",
                "error_type": "Sandbox.Timedout",
                "fatal": True,
            },
            "Duration: 600000.00 ms\tBilled Duration: 600517 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 36 MB\tInit Duration: 516.31 ms\tStatus: timeout\n",
        ),
        (
            {
                "duration_ms": 376_256.59,
                "billed_duration_ms": 376_257,
                "memory_size_mib": 10_239,
                "max_memory_used_mib": 10_239,
                "status": "error",
                "error_type": "Runtime.OutOfMemory",
                "fatal": True,
            },
            "Duration: 376256.59 ms\tBilled Duration: 376257 ms\tMemory Size: 10239 MB\t"
            "Max Memory Used: 10239 MB\tStatus: error\tError Type: Runtime.OutOfMemory\n",
        ),
    ],
    ids=["cold", "warm", "handler-error", "exit", "timeout", "out-of-memory"],
)
def test_report_line(
    make_report: Callable[..., Report], measured: dict[str, Any], line: str
) -> None:
    """A TAB after the last field, except where a fatal end puts its Status last; never one for a handler's error."""
    report = make_report(**{"request_id": ID, "max_memory_used_mib": 36, **measured})
    assert f"REPORT RequestId: {ID}\t{line}" == text.report_line(report)


@pytest.mark.parametrize(
    ("failed", "line"),
    [
        (
            (10009.13, "init", "timeout"),
            "INIT_REPORT Init Duration: 10009.13 ms\tPhase: init\tStatus: timeout\n",
        ),
        (
            (229.04, "init", "error", "Runtime.ImportModuleError"),
            "INIT_REPORT Init Duration: 229.04 ms\tPhase: init\tStatus: error\t"
            "Error Type: Runtime.ImportModuleError\n",
        ),
        (
            (1236.04, "invoke", "error", "Runtime.ExitError"),
            "INIT_REPORT Init Duration: 1236.04 ms\tPhase: invoke\tStatus: error\t"
            "Error Type: Runtime.ExitError\n",
        ),
    ],
)
def test_init_report(failed: tuple[Any, ...], line: str) -> None:
    """A failed init tells its phase, its status and, where there is one, its error type."""
    assert line == text.init_report(*failed)


@pytest.mark.parametrize(
    ("duration_ms", "init_ms", "billed"),
    [
        (3.10, 542.01, 546),
        (20.65, 2656.67, 2678),
        (2.46, 413.61, 417),
        (133.61, 80.00, 214),
        (600_000.0, 516.31, 600_517),
        (1.22, None, 2),
        (3.0000001, None, 3),
        (3.004, 0.004, 3),
        (0.0, None, 0),
    ],
)
def test_billed_ms(duration_ms: float, init_ms: float | None, billed: int) -> None:
    """Duration and Init Duration as printed, added up, rounded up to 1 ms: AWS's own lines since 2025-08-01."""
    assert billed == billed_ms(duration_ms, init_ms)


@given(duration_ms=DURATIONS, init_ms=DURATIONS)
def test_line_adds_up(
    make_report: Callable[..., Report], duration_ms: float, init_ms: float
) -> None:
    """Who reads a cold start's line finds its Billed Duration to be what its two durations make."""
    report = make_report(
        duration_ms=duration_ms,
        init_duration_ms=init_ms,
        billed_duration_ms=billed_ms(duration_ms, init_ms),
    )
    read = parse(text.report_line(report))
    assert read is not None
    assert read.duration_ms is not None
    assert read.init_duration_ms is not None
    hundredths = round(read.duration_ms * 100) + round(read.init_duration_ms * 100)
    assert read.billed_duration_ms == math.ceil(hundredths / 100)


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("$LATEST", "2026/01/08/[$LATEST]4f0a7c0d9e3b4b6f8a1c2d3e4f5a6b7c"),
        ("56", "2026/01/08/[56]4f0a7c0d9e3b4b6f8a1c2d3e4f5a6b7c"),
    ],
)
def test_log_stream_name(version: str, name: str) -> None:
    """The UTC date of the environment's making, its version in brackets, 32 digits (facts sheet B1)."""
    moment = datetime(2026, 1, 8, 23, 59, tzinfo=UTC)
    assert name == log_stream_name(version, moment, "4f0a7c0d9e3b4b6f8a1c2d3e4f5a6b7c")
