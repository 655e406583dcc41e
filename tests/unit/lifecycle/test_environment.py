"""The life of an execution environment: every pair of state and event, allowed or refused."""

from __future__ import annotations

import itertools

import pytest

from plimsoll.lifecycle import (
    ENVIRONMENT,
    EnvironmentEvent,
    EnvironmentState,
    IllegalTransition,
    Machine,
)

ALLOWED = {
    "start": {"box started": "init", "stop": "stopping"},
    "init": {"init done": "ready", "init failed": "resetting", "stop": "stopping"},
    "ready": {"invoke": "invoking", "stop": "stopping"},
    "invoking": {"invoke done": "ready", "invoke failed": "resetting", "stop": "stopping"},
    "resetting": {"reset done": "fresh", "stop": "stopping"},
    "fresh": {"invoke": "invoking", "stop": "stopping"},
    "stopping": {"stopped": "gone"},
    "gone": {},
}


@pytest.mark.parametrize(
    ("state", "event"),
    list(itertools.product(EnvironmentState, EnvironmentEvent)),
    ids=lambda value: value.value.replace(" ", "-"),
)
def test_every_pair(state: EnvironmentState, event: EnvironmentEvent) -> None:
    """What the table of this test allows happens; everything else is refused (facts sheet A1, A3)."""
    machine = Machine(ENVIRONMENT, state)
    following = ALLOWED[state.value].get(event.value)
    if following is None:
        with pytest.raises(IllegalTransition):
            machine.on(event)
    else:
        assert EnvironmentState(following) is machine.on(event)


@pytest.mark.parametrize("state", EnvironmentState, ids=lambda state: state.value)
def test_no_state_is_a_trap(state: EnvironmentState) -> None:
    """From every state there is a way to `gone`, so that nothing is left behind."""
    reached = {state}
    while more := {to for (of, _), to in ENVIRONMENT.items() if of in reached} - reached:
        reached |= more
    assert EnvironmentState.GONE in reached
