"""Text records of any year read back into values; what is no record is None."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.records import Record, RecordKind, parse, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.model import Report, Status

ID = "8f507cfc-0000-4697-b07a-ac58fc914c95"
K = RecordKind
WARM = Record(
    K.REPORT,
    request_id=ID,
    duration_ms=1.22,
    billed_duration_ms=2.0,
    memory_size_mb=128,
    max_memory_used_mb=36,
)
WORDS = [kind.value for kind in K]
NAMES = ["RequestId", "Duration", "Billed Duration", "Memory Size", "Status", "Version", "Sampled"]


@pytest.mark.parametrize(
    ("message", "record"),
    [
        (
            f"REPORT RequestId: {ID}\tDuration: 1.22 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 36 MB\t\n",
            WARM,
        ),
        (
            f"REPORT RequestId: {ID} Duration: 1.22 ms Billed Duration: 2 ms Memory Size: 128 MB "
            "Max Memory Used: 36 MB",
            WARM,
        ),
        (
            f"REPORT Max Memory Used: 36 MB\tRequestId: {ID}\tBilled Duration: 2 ms\t"
            "Memory Size: 128 MB\tDuration: 1.22 ms",
            WARM,
        ),
        (
            f"REPORT RequestId: {ID}\tDuration: 3000.00 ms\tBilled Duration: 3084 ms\t"
            "Memory Size: 128 MB\tMax Memory Used: 31 MB\tInit Duration: 84.00 ms\tStatus: timeout",
            Record(K.REPORT, ID, 3000.0, 3084.0, 84.0, None, 128, 31, "timeout"),
        ),
        (
            f"REPORT RequestId: {ID} Duration: 9.00 ms Billed Duration: 9 ms Memory Size: 512 MB "
            "Max Memory Used: 512 MB Status: error Error Type: Runtime.OutOfMemory",
            Record(K.REPORT, ID, 9.0, 9.0, None, None, 512, 512, "error", "Runtime.OutOfMemory"),
        ),
        (
            "INIT_REPORT Init Duration: 10009.13 ms\tPhase: init\tStatus: timeout\n",
            Record(K.INIT_REPORT, init_duration_ms=10009.13, phase="init", status="timeout"),
        ),
        (
            "RESTORE_REPORT Restore Duration: 1236.04 ms\tStatus: error\tError Type: Runtime.ExitError",
            Record(
                K.RESTORE_REPORT,
                restore_duration_ms=1236.04,
                status="error",
                error_type="Runtime.ExitError",
            ),
        ),
        (f"START RequestId: {ID} Version: $LATEST\n", Record(K.START, ID, version="$LATEST")),
        (f"END RequestId: {ID}\n", Record(K.END, ID)),
    ],
    ids=[
        "tabs",
        "blanks",
        "other-order",
        "timeout",
        "out-of-memory",
        "init",
        "restore",
        "start",
        "end",
    ],
)
def test_records(message: str, record: Record) -> None:
    """A record of today, with its TABs or copied without them, in any order of its fields."""
    assert record == parse(message)


@pytest.mark.parametrize(
    ("message", "kind", "more"),
    [
        (
            "INIT_START Runtime Version: python:3.13.v50\tRuntime Version ARN: arn:aws:lambda:x::runtime:0\n",
            K.INIT_START,
            {
                "Runtime Version": "python:3.13.v50",
                "Runtime Version ARN": "arn:aws:lambda:x::runtime:0",
            },
        ),
        (
            "EXTENSION\tName: datadog-agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]",
            K.EXTENSION,
            {"Name": "datadog-agent", "State": "Ready", "Events": "[INVOKE, SHUTDOWN]"},
        ),
        (
            "TELEMETRY\tName: datadog-agent\tState: Subscribed\tTypes: [Platform, Function, Extension]",
            K.TELEMETRY,
            {
                "Name": "datadog-agent",
                "State": "Subscribed",
                "Types": "[Platform, Function, Extension]",
            },
        ),
        (
            f"REPORT RequestId: {ID}\tDuration: 1.22 ms\t\nXRAY TraceId: 1-6a507b87-0cc443\t"
            "SegmentId: d0025b207c551fde\tSampled: true\t\n",
            K.REPORT,
            {
                "XRAY TraceId": "1-6a507b87-0cc443",
                "SegmentId": "d0025b207c551fde",
                "Sampled": "true",
            },
        ),
        (
            f"REPORT RequestId: {ID}\tSampled: true\tMoon: full\tDuration: 1.22 ms\tTide: low",
            K.REPORT,
            {"Sampled": "true", "Moon": "full", "Tide": "low"},
        ),
        (
            f"REPORT RequestId: {ID}\tRestore Duration: 511.25 ms\tBilled Restore Duration: 303 ms\t",
            K.REPORT,
            {"Billed Restore Duration": "303 ms"},
        ),
    ],
    ids=["init-start", "extension", "telemetry", "x-ray", "unknown", "snap-start"],
)
def test_other_fields_are_kept(message: str, kind: RecordKind, more: dict[str, str]) -> None:
    """Fields that have no name here, those of a later year too, are kept as printed, each for itself."""
    record = parse(message)
    assert record is not None
    assert (kind, more) == (record.kind, record.more)


@pytest.mark.parametrize(
    ("message", "record"),
    [
        (
            f"RequestId: {ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
            Record(
                K.EXITED,
                ID,
                status="error",
                error_type="Runtime.ExitError",
                message="Runtime exited with error: signal: killed",
            ),
        ),
        (
            f"RequestId: {ID} Error: Runtime exited without providing a reason\nRuntime.ExitError\n",
            Record(
                K.EXITED,
                ID,
                status="error",
                error_type="Runtime.ExitError",
                message="Runtime exited without providing a reason",
            ),
        ),
        (
            f"RequestId: {ID} Process exited before completing request",
            Record(
                K.EXITED, ID, status="error", message="Process exited before completing request"
            ),
        ),
        (
            f"2024-03-04T17:22:38.033Z {ID} Task timed out after 3.00 seconds\n\n",
            Record(
                K.TIMED_OUT,
                ID,
                duration_ms=3000.0,
                status="timeout",
                message="Task timed out after 3.00 seconds",
            ),
        ),
    ],
    ids=["killed", "exit-0", "2018", "timeout"],
)
def test_old_error_lines(message: str, record: Record) -> None:
    """The failure lines of 2018 to 2025, which most recorded logs still have (facts sheet B4)."""
    assert record == parse(message)


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        "",
        "START the engine",
        "REPORTING RequestId: 1",
        "REPORT Duration: soon",
        "REPORT Duration: Memory Size: 5 MB",
        "REPORT Memory Size: 1.5 MB",
        f" END RequestId: {ID}",
        f"{ID} Task timed out after a while seconds",
        f"{ID} Task timed out after 1.2.3 seconds",
        "RequestId: 1 Error: Runtime exited with error: signal: killed",
    ],
)
def test_application_lines_are_none(message: str) -> None:
    """What the function itself printed is no record, even where it begins like one."""
    assert parse(message) is None


@given(
    st.sampled_from([*WORDS, f"{ID} Task timed out after ", f"RequestId: {ID} "]),
    st.lists(
        st.one_of(
            st.sampled_from([f"{name}: " for name in NAMES]),
            st.sampled_from(["\t", "\n", " ", "1", ".", " ms", " seconds"]),
            st.text(max_size=5),
        )
    ),
)
def test_no_line_is_an_error(head: str, rest: list[str]) -> None:
    """Whatever a log holds, reading it gives a record or None."""
    assert isinstance(parse(head + " " + "".join(rest)), Record | None)


@given(
    duration_ms=st.floats(min_value=0, max_value=900_000),
    billed_ms=st.integers(min_value=0, max_value=900_000),
    init_ms=st.none() | st.floats(min_value=0, max_value=900_000),
    memory_mib=st.integers(min_value=128, max_value=10_240),
    used_mib=st.integers(min_value=1, max_value=10_240),
    end=st.sampled_from([("success", None), ("error", "Runtime.ExitError"), ("timeout", None)]),
)
def test_report_reads_back(
    make_report: Callable[..., Report],
    duration_ms: float,
    billed_ms: int,
    init_ms: float | None,
    memory_mib: int,
    used_mib: int,
    end: tuple[Status, str | None],
) -> None:
    """A REPORT line that was written reads back as the same figures, to the printed precision."""
    status, error_type = end
    report = make_report(
        duration_ms=duration_ms,
        billed_duration_ms=billed_ms,
        init_duration_ms=init_ms,
        memory_size_mib=memory_mib,
        max_memory_used_mib=used_mib,
        status=status,
        error_type=error_type,
        fatal=status != "success",
    )
    expected = Record(
        K.REPORT,
        request_id=report.request_id,
        duration_ms=round(duration_ms, 2),
        billed_duration_ms=billed_ms,
        init_duration_ms=None if init_ms is None else round(init_ms, 2),
        memory_size_mb=memory_mib,
        max_memory_used_mb=used_mib,
        status=None if status == "success" else status,
        error_type=error_type,
    )
    assert expected == parse(text.report_line(report))


@given(
    st.floats(min_value=0, max_value=900_000),
    st.sampled_from(["init", "invoke"]),
    st.sampled_from([("error", "Runtime.Unknown"), ("timeout", None)]),
)
def test_init_report_reads_back(
    duration_ms: float, phase: str, end: tuple[str, str | None]
) -> None:
    """An INIT_REPORT that was written reads back as the same values."""
    status, error_type = end
    expected = Record(
        K.INIT_REPORT,
        init_duration_ms=round(duration_ms, 2),
        phase=phase,
        status=status,
        error_type=error_type,
    )
    assert expected == parse(text.init_report(duration_ms, phase, status, error_type))
