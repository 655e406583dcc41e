"""The experiment: one function, invoked again and again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from plimsoll.diagnosis import run
from plimsoll.model import Completed, Function, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Invocation, Report

FUNCTION = Function("f", "nodejs20.x", "index.handler", Path("/code"))


class FakeFleet:
    """Answers each invocation with a report that counts, and keeps what it was asked."""

    def __init__(self, make_report: Callable[..., Report]) -> None:
        self._make_report = make_report
        self.asked: list[tuple[Function, bytes, bool]] = []

    async def invoke(
        self, function: Function, invocation: Invocation, *, files: bool = False
    ) -> Completed:
        """As `Fleet.invoke`."""
        self.asked.append((function, invocation.payload, files))
        report = self._make_report(invocation=len(self.asked))
        return Completed(Outcome("error", b"{}", "Error"), report)


@pytest.fixture
def fleet(make_report: Callable[..., Report]) -> FakeFleet:
    """A fleet that measures nothing."""
    return FakeFleet(make_report)


async def test_repeats(fleet: FakeFleet) -> None:
    """Failed or not, the same event is sent as often as asked for, and the files are always looked at."""
    invocations = run(cast("Fleet", fleet), FUNCTION, b"[1]", repeat=3)
    assert [completed.report.invocation async for completed in invocations] == [1, 2, 3]
    assert fleet.asked == [(FUNCTION, b"[1]", True)] * 3


async def test_handed_out_as_they_come(fleet: FakeFleet) -> None:
    """Nothing is invoked ahead of who watches."""
    invocations = run(cast("Fleet", fleet), FUNCTION, b"{}", repeat=3)
    await anext(invocations)
    assert len(fleet.asked) == 1


async def test_enough(fleet: FakeFleet) -> None:
    """The run ends early once all so far is enough."""
    seen: list[int] = []

    def enough(completed: list[Completed]) -> bool:
        seen.append(len(completed))
        return len(completed) == 2

    invocations = run(cast("Fleet", fleet), FUNCTION, b"{}", repeat=9, enough=enough)
    assert [completed.report.invocation async for completed in invocations] == [1, 2]
    assert seen == [1, 2]


@pytest.mark.parametrize(("interval_s", "pauses"), [(2.0, [2.0, 2.0]), (0.0, [])])
async def test_interval(
    fleet: FakeFleet, monkeypatch: pytest.MonkeyPatch, interval_s: float, pauses: list[float]
) -> None:
    """The pause is between two invocations, and neither before the first nor after the last."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    invocations = run(cast("Fleet", fleet), FUNCTION, b"{}", repeat=3, interval_s=interval_s)
    assert len([completed async for completed in invocations]) == 3
    assert pauses == slept
