"""The JSON objects of `--format json`: their names are a contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model import Cause, Evidence, MemoryBreakdown, TmpFile, TmpUsage, Verdict
from plimsoll.report import invocation_object, verdict_object
from plimsoll.report.json_lines import parsed_response
from tests.unit.report.conftest import LEAK, MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.model import Completed


def test_invocation(make_completed: Callable[..., Completed]) -> None:
    """Every member of the contract, with AWS's names and units."""
    completed = make_completed(
        payload=b'{"n":[1]}',
        duration_ms=3.01449,
        init_duration_ms=110.10551,
        split=MemoryBreakdown(1, 2, 3, 4, 5, 6),
        max_memory_used_mib=60,
        invocation_peak_bytes=20,
        tmp=TmpUsage("tmpfs", 512 * MIB, 8192, (TmpFile("/tmp/a", 8192, 4096),), 201),
    )
    assert invocation_object(completed) == {
        "type": "invocation",
        "requestId": "8f507cfc-0000-4697-b07a-ac58fc914c95",
        "status": "success",
        "errorType": None,
        "durationMs": 3.014,
        "billedDurationMs": 4,
        "initDurationMs": 110.106,
        "memorySizeMB": 128,
        "maxMemoryUsedMB": 60,
        "invocation": 1,
        "environment": "2026/11/24/[$LATEST]0",
        "response": {"n": [1]},
        "memory": {
            "peakBytes": 21,
            "invocationPeakBytes": 20,
            "anonBytes": 1,
            "tmpBytes": 2,
            "shmemBytes": 3,
            "fileBytes": 4,
            "kernelBytes": 5,
            "platformBytes": 6,
            "source": "kernel",
            "accounting": "shared",
        },
        "tmp": {
            "backing": "tmpfs",
            "sizeBytes": 512 * MIB,
            "usedBytes": 8192,
            "files": [{"path": "/tmp/a", "bytes": 8192, "deltaBytes": 4096, "deleted": False}],
            "filesTotal": 201,
        },
    }


def test_warm_failure(make_completed: Callable[..., Completed]) -> None:
    """A warm invocation has no init, a failed one its error type and the error object as the response."""
    completed = make_completed(b'{"errorType":"Error"}', status="error", error_type="Error")
    written = invocation_object(completed)
    actual = [written[name] for name in ("status", "errorType", "initDurationMs", "response")]
    assert actual == ["error", "Error", None, {"errorType": "Error"}]


def test_verdict() -> None:
    """The last line's members; an evidence item has those that are known."""
    assert verdict_object(LEAK) == {
        "type": "verdict",
        "kind": "tmp",
        "growthBytesPerInvocation": 10 * MIB,
        "causes": [
            {
                "kind": "tmp",
                "growthBytesPerInvocation": 10 * MIB,
                "evidence": [{"path": "/tmp/test", "bytesPerInvocation": 10 * MIB}],
            }
        ],
        "invocationsUntilLimit": 8,
        "limit": "memory",
        "confidence": 0.92,
        "advice": "not a heap leak; /tmp/test grows.",
    }


def test_all_that_evidence_can_hold() -> None:
    """Place in the code, process and command have their names too, and bytes are whole."""
    item = Evidence(1.6, "/tmp/a", "app.py", 7, "handler", 4711, "python3.12")
    written = verdict_object(
        Verdict("heap", 1.6, (Cause("heap", 1.4, (item,)),), None, None, 0, "")
    )
    assert written["causes"] == [
        {
            "kind": "heap",
            "growthBytesPerInvocation": 1,
            "evidence": [
                {
                    "path": "/tmp/a",
                    "file": "app.py",
                    "line": 7,
                    "function": "handler",
                    "pid": 4711,
                    "command": "python3.12",
                    "bytesPerInvocation": 2,
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("payload", "response"),
    [
        (b"null", None),
        (b'"\xc3\xa9"', "é"),
        (b"", ""),
        (b"plain", "plain"),
        (b"\xff", "\ufffd"),
        (b"NaN", "NaN"),
        (b'{"a":Infinity}', '{"a":Infinity}'),
        (b"[" * 100_000, "[" * 100_000),
        (b"1\x002\x00", "1\x002\x00"),
    ],
    ids=["null", "utf-8", "empty", "text", "bytes", "nan", "infinity", "deep", "nul"],
)
def test_parsed_response(payload: bytes, response: object) -> None:
    """JSON as itself; whatever is none, as text, and never an error."""
    assert response == parsed_response(payload)


@given(st.binary(max_size=20))
def test_a_line_is_always_json(make_completed: Callable[..., Completed], payload: bytes) -> None:
    """Whatever a function answers, its line is strict JSON, and one line."""
    line = json.dumps(invocation_object(make_completed(payload)), allow_nan=False)
    assert line.splitlines() == [line]
