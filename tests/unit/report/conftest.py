"""What the renderers are given: completed invocations and verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from plimsoll.model import Cause, Completed, Evidence, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.model import Report

MIB = 1 << 20
LEAK = Verdict(
    kind="tmp",
    growth_bytes_per_invocation=10.0 * MIB,
    causes=(Cause("tmp", 10.0 * MIB, (Evidence(10.0 * MIB, path="/tmp/test"),)),),
    invocations_until_limit=8,
    limit="memory",
    confidence=0.92,
    advice="not a heap leak; /tmp/test grows.",
)


@pytest.fixture(scope="session")
def make_completed(make_report: Callable[..., Report]) -> Callable[..., Completed]:
    """A completed invocation with this payload; all else goes to its report."""

    def make(payload: bytes = b'{"ok":true}', **changed: Any) -> Completed:
        report = make_report(**changed)
        return Completed(Outcome(report.status, payload, report.error_type, report.fatal), report)

    return make
