"""The runtime as the Runtime API sees it: every call in every state, allowed or refused."""

from __future__ import annotations

import itertools

import pytest

from plimsoll.lifecycle import RUNTIME, IllegalTransition, Machine, RuntimeEvent, RuntimeState

S, E = RuntimeState, RuntimeEvent
ALLOWED = {
    (S.STARTED, E.NEXT): S.READY,
    (S.STARTED, E.INIT_ERROR): S.INIT_ERROR,
    (S.READY, E.NEXT): S.READY,
    (S.READY, E.DISPATCH): S.RUNNING,
    (S.RUNNING, E.RESPONSE): S.RESPONSE_SENT,
    (S.RUNNING, E.ERROR): S.ERROR_SENT,
    (S.RESPONSE_SENT, E.NEXT): S.READY,
    (S.ERROR_SENT, E.NEXT): S.READY,
}


@pytest.mark.parametrize(
    ("state", "event"),
    list(itertools.product(RuntimeState, RuntimeEvent)),
    ids=lambda value: value.name.lower(),
)
def test_every_pair(state: RuntimeState, event: RuntimeEvent) -> None:
    """A response twice, next while running, an init error after init: refused, as by AWS (facts sheet D1)."""
    machine = Machine(RUNTIME, state)
    following = ALLOWED.get((state, event))
    if following is None:
        with pytest.raises(IllegalTransition):
            machine.on(event)
    else:
        assert following is machine.on(event)


def test_names_are_the_emulators() -> None:
    """The 403's text prints these names, so they are the ones that AWS's emulator prints."""
    expected = {
        *("Started", "InitError", "Ready", "Running"),
        *("ResponseSent", "InvocationErrorResponse", "InvocationResponse"),
    }
    assert expected == {member.value for member in [*RuntimeState, *RuntimeEvent]}
