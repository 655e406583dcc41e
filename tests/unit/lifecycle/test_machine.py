"""A machine moves by its table and by nothing else."""

from __future__ import annotations

from enum import Enum

import pytest

from plimsoll.lifecycle import IllegalTransition, Machine


class Light(Enum):
    """A state machine that everybody knows."""

    OFF = "off"
    ON = "on"


class Press(Enum):
    """Its two buttons."""

    UP = "up"
    DOWN = "down"


TABLE = {(Light.OFF, Press.UP): Light.ON, (Light.ON, Press.DOWN): Light.OFF}


def test_moves_by_the_table() -> None:
    """An event gives the new state, which the machine then holds."""
    machine = Machine(TABLE, Light.OFF)
    assert [machine.on(Press.UP), machine.on(Press.DOWN)] == [Light.ON, Light.OFF]
    assert machine.state is Light.OFF


def test_refuses_what_the_table_lacks() -> None:
    """A refusal names state and event, and the machine stays where it was."""
    machine = Machine(TABLE, Light.OFF)
    with pytest.raises(IllegalTransition) as caught:
        machine.on(Press.DOWN)
    assert str(caught.value) == "down is not allowed in state off"
    assert (caught.value.state, caught.value.event) == (Light.OFF, Press.DOWN)
    assert machine.state is Light.OFF
