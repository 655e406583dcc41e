"""How a process's end, or a wait that ran out, becomes the error that the caller gets.

Rule: pure; the texts are AWS's (facts sheet A3, C6, D5, F3).
"""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

from plimsoll.errors import (
    ExitFault,
    FunctionFault,
    InvalidEntrypointFault,
    OutOfMemoryFault,
    ResponseTooLargeFault,
)
from plimsoll.model import Outcome
from plimsoll.runtime_api import RESPONSE_LIMIT_BYTES

if TYPE_CHECKING:
    from plimsoll.model import Status
    from plimsoll.runtime_api import Answer
    from plimsoll.sandbox.box import ProcessEnd

_CORE_DUMPED = 0x80
# Go's names of the signals, as the emulator's exec.ExitError prints them
_SIGNALS = {
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGHUP: "hangup",
    signal.SIGILL: "illegal instruction",
    signal.SIGINT: "interrupt",
    signal.SIGKILL: "killed",
    signal.SIGPIPE: "broken pipe",
    signal.SIGQUIT: "quit",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGSYS: "bad system call",
    signal.SIGTERM: "terminated",
    signal.SIGTRAP: "trace/breakpoint trap",
}


def fault_of_end(request_id: str, end: ProcessEnd, *, out_of_memory: bool) -> FunctionFault:
    """The fault that a runtime's end is, when it left no error of its own."""
    if end.start_errno:
        reason = f"fork/exec failed at its {end.start_step}: errno {end.start_errno}"
        return InvalidEntrypointFault(request_id, reason)
    if out_of_memory and end.signal == signal.SIGKILL:
        return OutOfMemoryFault(request_id)
    return ExitFault(request_id, exit_reason(end))


def exit_reason(end: ProcessEnd) -> str:
    """The emulator's words for a wait status."""
    if end.signal:
        name = _SIGNALS.get(signal.Signals(end.signal), f"signal {end.signal}")
        core = " (core dumped)" if end.wait_status & _CORE_DUMPED else ""
        return f"Runtime exited with error: signal: {name}{core}"
    if end.exit_code:
        return f"Runtime exited with error: exit status {end.exit_code}"
    return "Runtime exited without providing a reason"


def outcome_of_answer(request_id: str, answer: Answer) -> Outcome:
    """What the runtime itself posted."""
    if answer.too_large:
        return outcome_of_fault(
            ResponseTooLargeFault(request_id, RESPONSE_LIMIT_BYTES), fatal=False
        )
    if not answer.is_error:
        return Outcome("success", answer.payload)
    return Outcome("error", answer.payload, error_type=error_type_of(answer))


def outcome_of_fault(fault: FunctionFault, *, fatal: bool = True) -> Outcome:
    """The platform's own error object."""
    status: Status = "timeout" if fault.status == "timeout" else "error"
    return Outcome(status, fault.payload, error_type=fault.error_type, fatal=fatal)


def error_type_of(answer: Answer) -> str:
    """The `errorType` of the posted object; where it has none, the header's."""
    try:
        body = json.loads(answer.payload)
    except ValueError:
        body = None
    named = body.get("errorType") if isinstance(body, dict) else None
    return named if isinstance(named, str) and named else answer.error_type or "Runtime.Unknown"
