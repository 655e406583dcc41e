"""Taking turns: two contestants, round by round, and what is made of their times."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True)
class Result:
    """One line of the bench: ours against a bound, which is a share of the peer's figure or a figure itself."""

    name: str
    ours: float
    unit: str
    goal: float
    peer: str = ""
    theirs: float | None = None
    at_least: bool = False
    """The goal is a lower bound (a rate), not an upper one (a time)."""
    about: bool = False
    """The goal is by how much the ratio may be off 1, to either side."""
    note: str = ""

    @property
    def value(self) -> float:
        """What is compared with the goal: the ratio where there is a peer."""
        return self.ours if self.theirs is None else self.ours / self.theirs

    @property
    def reached(self) -> bool:
        """Whether the goal is met."""
        if self.about:
            return abs(self.value - 1) <= self.goal
        return self.value >= self.goal if self.at_least else self.value <= self.goal


async def take_turns(
    ours: Callable[[], Awaitable[float]], theirs: Callable[[], Awaitable[float]], rounds: int
) -> tuple[float, float]:
    """The medians of both after one warm-up round; who goes first changes from round to round."""
    await ours()
    await theirs()
    mine: list[float] = []
    others: list[float] = []
    for number in range(rounds):
        for is_ours in (True, False) if number % 2 else (False, True):
            (mine if is_ours else others).append(await (ours() if is_ours else theirs()))
    return statistics.median(mine), statistics.median(others)
