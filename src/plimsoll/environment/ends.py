"""How a process's end, or a wait that ran out, becomes the error that the caller gets.

Rule: pure; the texts are AWS's (facts sheet A3, C6, D5, F3).
"""

from __future__ import annotations

import json
import os
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
    from plimsoll.environment.entrypoint import Entrypoint
    from plimsoll.model import Status
    from plimsoll.runtime_api import Answer
    from plimsoll.sandbox.box import ProcessEnd

_CORE_DUMPED = 0x80
# Go's names of the signals, as the emulator's exec.ExitError prints them (syscall/zerrors_linux_amd64.go); it has none
# for the others and prints their number
_SIGNALS = {
    int(signal.SIGHUP): "hangup",
    int(signal.SIGINT): "interrupt",
    int(signal.SIGQUIT): "quit",
    int(signal.SIGILL): "illegal instruction",
    int(signal.SIGTRAP): "trace/breakpoint trap",
    int(signal.SIGABRT): "aborted",
    int(signal.SIGBUS): "bus error",
    int(signal.SIGFPE): "floating point exception",
    int(signal.SIGKILL): "killed",
    int(signal.SIGUSR1): "user defined signal 1",
    int(signal.SIGSEGV): "segmentation fault",
    int(signal.SIGUSR2): "user defined signal 2",
    int(signal.SIGPIPE): "broken pipe",
    int(signal.SIGALRM): "alarm clock",
    int(signal.SIGTERM): "terminated",
}


def fault_of_end(
    request_id: str, end: ProcessEnd, *, out_of_memory: bool, entrypoint: Entrypoint
) -> FunctionFault:
    """The fault that a runtime's end is, when it left no error of its own."""
    if end.start_errno:
        return InvalidEntrypointFault(request_id, _start_reason(end, entrypoint))
    if out_of_memory and end.signal == signal.SIGKILL:
        return OutOfMemoryFault(request_id)
    return ExitFault(request_id, exit_reason(end))


def _start_reason(end: ProcessEnd, entrypoint: Entrypoint) -> str:
    """The emulator's words; Go names an errno as the C library does, in small letters."""
    if entrypoint.looked_for:
        return f"Couldn't find valid bootstrap(s): [{' '.join(entrypoint.looked_for)}]"
    if end.start_step == "exec":
        return f"fork/exec {entrypoint.argv[0]}: {os.strerror(end.start_errno).lower()}"
    return f"fork/exec failed at its {end.start_step}: errno {end.start_errno}"


def exit_reason(end: ProcessEnd) -> str:
    """The emulator's words for a wait status."""
    if end.signal:
        name = _SIGNALS.get(end.signal, f"signal {end.signal}")
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
    except (ValueError, RecursionError):
        body = None
    named = body.get("errorType") if isinstance(body, dict) else None
    if not isinstance(named, str) or not named:
        return answer.error_type or "Runtime.Unknown"
    return named.encode(
        errors="replace"
    ).decode()  # JSON may spell half a character; a log line cannot
