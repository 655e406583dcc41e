"""The experiment itself: one function, one event, one warm environment, invoked again and again.

Rule: it measures nothing and judges nothing; each completed invocation is handed out as it comes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plimsoll.model import Invocation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Completed, Function


async def run(
    fleet: Fleet,
    function: Function,
    payload: bytes,
    *,
    repeat: int,
    interval_s: float = 0.0,
    enough: Callable[[list[Completed]], bool] | None = None,
) -> AsyncIterator[Completed]:
    """Invokes `repeat` times with pauses of `interval_s` seconds, or until `enough` of all so far says so.

    An invocation that fails does not end the run: what follows (a reset, a new environment) is part of the picture.
    Raises `PlatformError`, `CallerError`.
    """
    completed: list[Completed] = []
    for number in range(repeat):
        if number and interval_s:
            await asyncio.sleep(interval_s)
        completed.append(await fleet.invoke(function, Invocation(payload), files=True))
        yield completed[-1]
        if enough is not None and enough(completed):
            return
