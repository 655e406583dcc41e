"""Between an environment and its runtime: the one invocation that is out, and how the runtime answered it.

Rule: no HTTP and no clock here; `server` turns calls into these methods, `environment` awaits the futures. Each
runtime process gets a new `Mailbox`, so nothing of a dead one can answer for the living.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from plimsoll.lifecycle import RUNTIME, Machine, RuntimeEvent, RuntimeState

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.model import Invocation

RESPONSE_LIMIT_BYTES = 6 * 1024 * 1024 + 100
"""6,291,556: facts sheet D1, from AWS's runtime interface emulator."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the runtime posted for an invocation, or for its init."""

    payload: bytes
    is_error: bool = False
    error_type: str | None = None
    """The header Lambda-Runtime-Function-Error-Type."""
    too_large: bool = False
    """The response was over the limit; `payload` is empty."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An invocation with what the Runtime API's headers say of it."""

    invocation: Invocation
    deadline_ms: int
    arn: str


class InvalidRequestId(Exception):
    """The runtime answered an invocation that is not the one it was given."""


class Over(Enum):
    """Why the wait for the runtime is over."""

    NEXT = "next"
    """It asked for the next event: its init, or the invocation, is complete."""
    INIT_ERROR = "init error"
    EXIT = "exit"
    TIMEOUT = "timeout"


class Mailbox:
    """One runtime process's side of the conversation.

    `over` is the one future that everything races for; it is set directly, from the call that ends the wait, since
    each hop through the event loop would be paid on every invocation.
    """

    def __init__(self) -> None:
        self._machine = Machine(RUNTIME, RuntimeState.STARTED)
        self._parked: Callable[[Delivery], None] | None = None
        self._delivery: Delivery | None = None
        self._undelivered = False
        self._accept: Callable[[], None] | None = None
        self.over: asyncio.Future[Over] = asyncio.get_running_loop().create_future()
        self.answer: Answer | None = None
        """The response or error of the present invocation, or the error of the init."""

    @property
    def state(self) -> RuntimeState:
        """Where the conversation is."""
        return self._machine.state

    def end(self, why: Over) -> None:
        """Ends the present wait, unless it is over already."""
        if not self.over.done():
            self.over.set_result(why)

    def expect_exit(self, *, exited: bool) -> None:
        """A new wait, for nothing but the process's end."""
        self.over = asyncio.get_running_loop().create_future()
        if exited:
            self.end(Over.EXIT)

    def dispatch(self, delivery: Delivery) -> asyncio.Future[Over]:
        """Hands the runtime, which waits in next, an invocation; gives the new wait. Raises `IllegalTransition`."""
        self._machine.on(RuntimeEvent.DISPATCH)
        self.over = asyncio.get_running_loop().create_future()
        self.answer = None
        self._delivery = delivery
        self._undelivered = self._parked is None
        if self._parked is not None:
            parked, self._parked = self._parked, None
            parked(delivery)
        return self.over

    def on_next(self, deliver: Callable[[Delivery], None]) -> None:
        """The runtime asks for an event; `deliver` is called with it when there is one."""
        if self._undelivered and self._delivery is not None:
            # its connection broke while it waited, and the invocation came before it asked again
            self._undelivered = False
            deliver(self._delivery)
            return
        self._machine.on(RuntimeEvent.NEXT)
        self._parked = deliver
        self.end(Over.NEXT)

    def on_answer(self, request_id: str, answer: Answer) -> None:
        """The runtime's response or error. Raises `InvalidRequestId`, `IllegalTransition`."""
        if self._delivery is None or request_id != self._delivery.invocation.request_id:
            raise InvalidRequestId(request_id)
        self._machine.on(RuntimeEvent.ERROR if answer.is_error else RuntimeEvent.RESPONSE)
        self.answer = answer

    def on_init_error(self, answer: Answer, accept: Callable[[], None]) -> None:
        """The runtime could not initialise; it exits once `accept` has answered it. Raises `IllegalTransition`."""
        self._machine.on(RuntimeEvent.INIT_ERROR)
        self.answer = answer
        self._accept = accept
        self.end(Over.INIT_ERROR)

    def accept_init_error(self) -> None:
        """Lets a runtime go that posted an init error, once it has been looked at; else does nothing."""
        accept, self._accept = self._accept, None
        if accept is not None:
            accept()

    def forget_parked(self, deliver: Callable[[Delivery], None]) -> None:
        """The connection on which the runtime waited is closed."""
        if self._parked == deliver:
            self._parked = None
