"""What all tests share: values in their plainest form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from plimsoll.model import MemoryBreakdown, Report, TmpUsage

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20


@pytest.fixture(scope="session")
def make_report() -> Callable[..., Report]:
    """A report of a plain warm invocation, with what the test cares about put in."""

    def make(**changed: Any) -> Report:
        split = changed.pop("split", MemoryBreakdown(anon_bytes=20 * MIB, file_bytes=40 * MIB))
        values: dict[str, Any] = {
            "request_id": "8f507cfc-0000-4697-b07a-ac58fc914c95",
            "function_name": "f",
            "version": "$LATEST",
            "log_stream": "2026/11/24/[$LATEST]0",
            "invocation": 1,
            "status": "success",
            "error_type": None,
            "fatal": False,
            "duration_ms": 3.01,
            "billed_duration_ms": 4,
            "init_duration_ms": None,
            "memory_size_mib": 128,
            "max_memory_used_mib": split.total_bytes >> 20,
            "peak_bytes": split.total_bytes,
            "invocation_peak_bytes": split.total_bytes,
            "memory": split,
            "at_end": split,
            "source": "kernel",
            "invocation_source": "kernel",
            "accounting": "shared",
            "tmp": TmpUsage("tmpfs", 512 * MIB, split.tmp_bytes),
        }
        return Report(**{**values, **changed})

    return make
