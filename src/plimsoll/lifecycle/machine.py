"""A state machine that is a table: (state, event) to the next state; what the table lacks is refused."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class Label(Enum):
    """An enum for states and events; its members are singletons, so identity is hash enough (Enum's own is 0.6 us)."""

    __hash__ = object.__hash__


State = TypeVar("State", bound=Enum)
Event = TypeVar("Event", bound=Enum)


class IllegalTransition(Exception):
    """The table has no row for this event in this state."""

    def __init__(self, state: Enum, event: Enum) -> None:
        super().__init__(f"{event.value} is not allowed in state {state.value}")
        self.state = state
        self.event = event


class Machine(Generic[State, Event]):
    """Holds a state and moves it by a table.

    >>> class S(Enum): OFF = "off"; ON = "on"
    >>> class E(Enum): PRESS = "press"
    >>> machine = Machine({(S.OFF, E.PRESS): S.ON}, S.OFF)
    >>> machine.on(E.PRESS)
    <S.ON: 'on'>
    >>> machine.on(E.PRESS)
    Traceback (most recent call last):
    plimsoll.lifecycle.machine.IllegalTransition: press is not allowed in state on
    """

    __slots__ = ("_table", "state")

    def __init__(self, table: Mapping[tuple[State, Event], State], start: State) -> None:
        self._table = table
        self.state = start

    def on(self, event: Event) -> State:
        """Moves by `event` and gives the new state. Raises `IllegalTransition`; the state stays then."""
        following = self._table.get((self.state, event))
        if following is None:
            raise IllegalTransition(self.state, event)
        self.state = following
        return following
