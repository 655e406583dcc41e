"""The life of an execution environment: `start -> init -> ready -> invoking -> ready … -> stopping -> gone`.

Source: DG/lambda-runtime-environment (facts sheet A1). A reset keeps `/tmp` and the log stream and goes back to
`fresh`: the processes are dead, and the next invocation initialises again inside its own Duration (a suppressed init).
"""

from __future__ import annotations

from plimsoll.lifecycle.machine import Label


class EnvironmentState(Label):
    """Where an environment is."""

    START = "start"
    INIT = "init"
    READY = "ready"
    INVOKING = "invoking"
    RESETTING = "resetting"
    FRESH = "fresh"
    """Reset: alive, without processes."""
    STOPPING = "stopping"
    GONE = "gone"


class EnvironmentEvent(Label):
    """What moves it."""

    BOX_STARTED = "box started"
    INIT_DONE = "init done"
    INIT_FAILED = "init failed"
    INVOKE = "invoke"
    INVOKE_DONE = "invoke done"
    INVOKE_FAILED = "invoke failed"
    RESET_DONE = "reset done"
    STOP = "stop"
    STOPPED = "stopped"


_S, _E = EnvironmentState, EnvironmentEvent
ENVIRONMENT: dict[tuple[EnvironmentState, EnvironmentEvent], EnvironmentState] = {
    (_S.START, _E.BOX_STARTED): _S.INIT,
    (_S.INIT, _E.INIT_DONE): _S.READY,
    (_S.INIT, _E.INIT_FAILED): _S.RESETTING,
    (_S.READY, _E.INVOKE): _S.INVOKING,
    (_S.FRESH, _E.INVOKE): _S.INVOKING,
    (_S.INVOKING, _E.INVOKE_DONE): _S.READY,
    (_S.INVOKING, _E.INVOKE_FAILED): _S.RESETTING,
    (_S.RESETTING, _E.RESET_DONE): _S.FRESH,
    **{(state, _E.STOP): _S.STOPPING for state in _S if state not in {_S.STOPPING, _S.GONE}},
    (_S.STOPPING, _E.STOPPED): _S.GONE,
}
