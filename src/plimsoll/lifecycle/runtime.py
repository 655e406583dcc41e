"""The runtime as the Runtime API sees it: which call is allowed when.

Source: AWS's runtime interface emulator (facts sheet D1), whose state names these are. Each runtime process begins
anew at STARTED. A call that the table lacks is answered 403 InvalidStateTransition.
"""

from __future__ import annotations

from plimsoll.lifecycle.machine import Label


class RuntimeState(Label):
    """The emulator's names, as its error messages print them."""

    STARTED = "Started"
    INIT_ERROR = "InitError"
    READY = "Ready"
    RUNNING = "Running"
    RESPONSE_SENT = "ResponseSent"
    ERROR_SENT = "InvocationErrorResponse"


class RuntimeEvent(Label):
    """A call of the runtime, or the service handing it an invocation."""

    NEXT = "Ready"
    INIT_ERROR = "InitError"
    DISPATCH = "Running"
    RESPONSE = "InvocationResponse"
    ERROR = "InvocationErrorResponse"


_S, _E = RuntimeState, RuntimeEvent
RUNTIME: dict[tuple[RuntimeState, RuntimeEvent], RuntimeState] = {
    (_S.STARTED, _E.NEXT): _S.READY,
    (_S.STARTED, _E.INIT_ERROR): _S.INIT_ERROR,
    # a client that lost its connection asks again, and is handed the same wait
    (_S.READY, _E.NEXT): _S.READY,
    (_S.READY, _E.DISPATCH): _S.RUNNING,
    (_S.RUNNING, _E.RESPONSE): _S.RESPONSE_SENT,
    (_S.RUNNING, _E.ERROR): _S.ERROR_SENT,
    (_S.RESPONSE_SENT, _E.NEXT): _S.READY,
    (_S.ERROR_SENT, _E.NEXT): _S.READY,
}
