"""Between an environment and its runtime: one invocation out, one answer back."""

from __future__ import annotations

import pytest

from plimsoll.lifecycle import IllegalTransition, RuntimeState
from plimsoll.model import Invocation
from plimsoll.runtime_api import Answer, Delivery, Mailbox, Over
from plimsoll.runtime_api.mailbox import InvalidRequestId

FIRST = Delivery(Invocation(request_id="first"), 1000, "arn:f")
SECOND = Delivery(Invocation(request_id="second"), 2000, "arn:f")
ANSWER = Answer(b"1")
ERROR = Answer(b'{"errorType":"E"}', is_error=True)


def ignore(delivery: Delivery) -> None:
    """A runtime that waits, and what it is given does not matter."""


async def test_an_invocation() -> None:
    """Next, dispatch, response, next: the runtime is handed the event, and its second next ends the wait."""
    mailbox = Mailbox()
    got: list[Delivery] = []
    mailbox.on_next(got.append)
    assert (mailbox.over.result(), got) == (Over.NEXT, [])
    over = mailbox.dispatch(FIRST)
    assert (got, over.done()) == ([FIRST], False)
    mailbox.on_answer("first", ANSWER)
    assert (mailbox.answer, over.done()) == (ANSWER, False)
    mailbox.on_next(got.append)
    assert (over.result(), mailbox.state) == (Over.NEXT, RuntimeState.READY)
    assert got == [FIRST]


async def test_each_event_is_delivered_once() -> None:
    """Of two invocations the runtime gets each one, in their order, and the answer is the present one's."""
    mailbox = Mailbox()
    got: list[Delivery] = []
    mailbox.on_next(got.append)
    mailbox.dispatch(FIRST)
    mailbox.on_answer("first", ANSWER)
    mailbox.on_next(got.append)
    mailbox.dispatch(SECOND)
    assert (got, mailbox.answer) == ([FIRST, SECOND], None)


async def test_init_is_over_with_next() -> None:
    """The wait for init ends when the runtime asks for its first event."""
    mailbox = Mailbox()
    assert not mailbox.over.done()
    mailbox.on_next(ignore)
    assert mailbox.over.result() is Over.NEXT


async def test_init_error() -> None:
    """An init error ends the wait, is what the runtime posted, and is accepted once, when it has been looked at."""
    mailbox = Mailbox()
    accepted: list[bool] = []
    mailbox.on_init_error(ERROR, lambda: accepted.append(True))
    assert (mailbox.over.result(), mailbox.answer) == (Over.INIT_ERROR, ERROR)
    assert mailbox.state is RuntimeState.INIT_ERROR
    assert accepted == []
    mailbox.accept_init_error()
    mailbox.accept_init_error()
    assert accepted == [True]


async def test_error_answer() -> None:
    """A posted error is the answer, and is not yet the end."""
    mailbox = Mailbox()
    mailbox.on_next(ignore)
    over = mailbox.dispatch(FIRST)
    mailbox.on_answer("first", ERROR)
    assert (mailbox.answer, over.done()) == (ERROR, False)
    assert mailbox.state is RuntimeState.ERROR_SENT


@pytest.mark.parametrize("request_id", ["", "other", "FIRST"])
async def test_answer_to_another_invocation(request_id: str) -> None:
    """An answer that names another invocation is refused and changes nothing."""
    mailbox = Mailbox()
    mailbox.on_next(ignore)
    mailbox.dispatch(FIRST)
    with pytest.raises(InvalidRequestId):
        mailbox.on_answer(request_id, ANSWER)
    assert (mailbox.answer, mailbox.state) == (None, RuntimeState.RUNNING)


async def test_answer_before_any_invocation() -> None:
    """Nothing can be answered before something was asked."""
    mailbox = Mailbox()
    mailbox.on_next(ignore)
    with pytest.raises(InvalidRequestId):
        mailbox.on_answer("first", ANSWER)


async def test_second_answer() -> None:
    """The first answer counts; another one is refused and does not replace it."""
    mailbox = Mailbox()
    mailbox.on_next(ignore)
    mailbox.dispatch(FIRST)
    mailbox.on_answer("first", ANSWER)
    with pytest.raises(IllegalTransition):
        mailbox.on_answer("first", ERROR)
    assert mailbox.answer == ANSWER


async def test_answer_to_a_past_invocation() -> None:
    """A late answer cannot stand for the invocation that came after."""
    mailbox = Mailbox()
    mailbox.on_next(ignore)
    mailbox.dispatch(FIRST)
    mailbox.on_answer("first", ANSWER)
    mailbox.on_next(ignore)
    mailbox.dispatch(SECOND)
    with pytest.raises(InvalidRequestId):
        mailbox.on_answer("first", ANSWER)
    assert mailbox.answer is None


async def test_next_without_an_answer() -> None:
    """A runtime that asks for the next event while it owes an answer is refused."""
    mailbox = Mailbox()
    mailbox.on_next(ignore)
    over = mailbox.dispatch(FIRST)
    with pytest.raises(IllegalTransition):
        mailbox.on_next(ignore)
    assert not over.done()


async def test_dispatch_before_the_runtime_is_ready() -> None:
    """Nothing can be handed to a runtime that has not asked."""
    with pytest.raises(IllegalTransition):
        Mailbox().dispatch(FIRST)


async def test_asking_again() -> None:
    """A client that lost its connection asks again: the event goes to the one that asked last."""
    mailbox = Mailbox()
    lost: list[Delivery] = []
    alive: list[Delivery] = []
    mailbox.on_next(lost.append)
    mailbox.on_next(alive.append)
    mailbox.dispatch(FIRST)
    assert (lost, alive) == ([], [FIRST])


async def test_an_event_that_finds_nobody_waits() -> None:
    """A runtime whose waiting connection broke before the dispatch is handed the event when it asks again, once."""
    mailbox = Mailbox()
    lost: list[Delivery] = []
    alive: list[Delivery] = []
    mailbox.on_next(lost.append)
    mailbox.forget_parked(lost.append)
    over = mailbox.dispatch(FIRST)
    assert lost == []
    mailbox.on_next(alive.append)
    assert (alive, over.done(), mailbox.state) == ([FIRST], False, RuntimeState.RUNNING)
    with pytest.raises(IllegalTransition):
        mailbox.on_next(alive.append)
    mailbox.on_answer("first", ANSWER)
    mailbox.on_next(alive.append)
    assert (over.result(), mailbox.answer, alive) == (Over.NEXT, ANSWER, [FIRST])


async def test_another_connections_end_is_no_matter() -> None:
    """Only the connection on which the runtime waits takes the waiting with it."""
    mailbox = Mailbox()
    got: list[Delivery] = []
    mailbox.on_next(got.append)
    mailbox.forget_parked(ignore)
    mailbox.dispatch(FIRST)
    assert got == [FIRST]
