"""How a process's end becomes the error that the caller gets, in AWS's texts (facts sheet A3, C6, F3)."""

from __future__ import annotations

import json
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.environment.ends import (
    error_type_of,
    exit_reason,
    fault_of_end,
    outcome_of_answer,
    outcome_of_fault,
)
from plimsoll.environment.entrypoint import Entrypoint
from plimsoll.errors import ExitFault, ResponseTooLargeFault, TimeoutFault
from plimsoll.model import Outcome
from plimsoll.runtime_api import Answer
from plimsoll.sandbox.box import ProcessEnd

ID = "8f507cfc-0000-4697-b07a-ac58fc914c95"
CORE_DUMPED = 0x80


def exited(code: int) -> ProcessEnd:
    """The end of a process that exited."""
    return ProcessEnd(code << 8)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (exited(0), "Runtime exited without providing a reason"),
        (exited(1), "Runtime exited with error: exit status 1"),
        (exited(127), "Runtime exited with error: exit status 127"),
        (exited(255), "Runtime exited with error: exit status 255"),
        (ProcessEnd(signal.SIGKILL), "Runtime exited with error: signal: killed"),
        (ProcessEnd(signal.SIGTERM), "Runtime exited with error: signal: terminated"),
        (
            ProcessEnd(signal.SIGSEGV | CORE_DUMPED),
            "Runtime exited with error: signal: segmentation fault (core dumped)",
        ),
        (
            ProcessEnd(signal.SIGABRT | CORE_DUMPED),
            "Runtime exited with error: signal: aborted (core dumped)",
        ),
    ],
)
def test_exit_reason(end: ProcessEnd, reason: str) -> None:
    """The emulator's words for a wait status."""
    assert reason == exit_reason(end)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (signal.SIGHUP, "hangup"),
        (signal.SIGINT, "interrupt"),
        (signal.SIGQUIT, "quit"),
        (signal.SIGILL, "illegal instruction"),
        (signal.SIGTRAP, "trace/breakpoint trap"),
        (signal.SIGABRT, "aborted"),
        (signal.SIGBUS, "bus error"),
        (signal.SIGFPE, "floating point exception"),
        (signal.SIGKILL, "killed"),
        (signal.SIGUSR1, "user defined signal 1"),
        (signal.SIGSEGV, "segmentation fault"),
        (signal.SIGUSR2, "user defined signal 2"),
        (signal.SIGPIPE, "broken pipe"),
        (signal.SIGALRM, "alarm clock"),
        (signal.SIGTERM, "terminated"),
        (signal.SIGXCPU, "signal 24"),
        (signal.SIGSYS, "signal 31"),
        (signal.SIGRTMIN, "signal 34"),
        (37, "signal 37"),
        (signal.SIGRTMAX, "signal 64"),
    ],
)
def test_signal_names(number: int, name: str) -> None:
    """A signal has the name that Go gives it; the others, which have none there, their number."""
    expected = f"Runtime exited with error: signal: {name}"
    assert expected == exit_reason(ProcessEnd(number))


@pytest.mark.parametrize(
    ("end", "out_of_memory", "payload"),
    [
        (
            exited(0),
            False,
            '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: '
            'Runtime exited without providing a reason"}',
        ),
        (
            exited(127),
            False,
            '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: '
            'Runtime exited with error: exit status 127"}',
        ),
        (
            ProcessEnd(signal.SIGKILL),
            True,
            '{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: <id> Error: '
            'Runtime exited with error: signal: killed"}',
        ),
        (
            ProcessEnd(signal.SIGKILL),
            False,
            '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: '
            'Runtime exited with error: signal: killed"}',
        ),
        (
            exited(1),
            True,
            '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: '
            'Runtime exited with error: exit status 1"}',
        ),
        (
            ProcessEnd(start_errno=13, start_step="exec"),
            False,
            '{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: <id> Error: '
            'fork/exec /var/task/bootstrap: permission denied"}',
        ),
        (
            ProcessEnd(start_errno=8, start_step="exec"),
            False,
            '{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: <id> Error: '
            'fork/exec /var/task/bootstrap: exec format error"}',
        ),
        (
            ProcessEnd(start_errno=1, start_step="user"),
            False,
            '{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: <id> Error: '
            'fork/exec failed at its user: errno 1"}',
        ),
    ],
    ids=[
        *("exit-0", "exit-127", "out-of-memory", "killed", "child-out-of-memory"),
        *("no-right", "no-program", "no-start"),
    ],
)
def test_fault_of_end(end: ProcessEnd, out_of_memory: bool, payload: str) -> None:
    """Out of memory is the runtime's own kill; a child's leaves the runtime's exit what it was."""
    started = Entrypoint(("/var/task/bootstrap",))
    fault = fault_of_end(ID, end, out_of_memory=out_of_memory, entrypoint=started)
    assert payload.replace("<id>", ID).encode() == fault.payload


def test_no_bootstrap() -> None:
    """Where nothing was found that could be started, all places that were looked in are named (facts sheet D5)."""
    entrypoint = Entrypoint(("/var/task/bootstrap",), ("/var/task/bootstrap", "/opt/bootstrap"))
    end = ProcessEnd(start_errno=2, start_step="exec")
    fault = fault_of_end(ID, end, out_of_memory=False, entrypoint=entrypoint)
    assert fault.error_type == "Runtime.InvalidEntrypoint"
    assert fault.message == (
        f"RequestId: {ID} Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
    )


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (
            outcome_of_fault(TimeoutFault(ID, 3)),
            Outcome("timeout", TimeoutFault(ID, 3).payload, "Sandbox.Timedout", fatal=True),
        ),
        (
            outcome_of_fault(ExitFault(ID, "r")),
            Outcome("error", ExitFault(ID, "r").payload, "Runtime.ExitError", fatal=True),
        ),
        (
            outcome_of_fault(ResponseTooLargeFault(ID, 1), fatal=False),
            Outcome("error", ResponseTooLargeFault(ID, 1).payload, "Function.ResponseSizeTooLarge"),
        ),
    ],
    ids=["timeout", "exit", "too-large"],
)
def test_outcome_of_fault(outcome: Outcome, expected: Outcome) -> None:
    """A fault's payload, type and status, and fatal unless said otherwise."""
    assert expected == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(b'{"ok":1}'), Outcome("success", b'{"ok":1}')),
        (
            Answer(b'{"errorType":"Error","errorMessage":"Handler fails"}', is_error=True),
            Outcome("error", b'{"errorType":"Error","errorMessage":"Handler fails"}', "Error"),
        ),
        (
            Answer(b"", is_error=True, too_large=True),
            Outcome(
                "error",
                b'{"errorType":"Function.ResponseSizeTooLarge","errorMessage":'
                b'"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}',
                "Function.ResponseSizeTooLarge",
            ),
        ),
    ],
    ids=["success", "error", "too-large"],
)
def test_outcome_of_answer(answer: Answer, outcome: Outcome) -> None:
    """What the runtime posted goes to the caller as it is, and is never fatal."""
    assert outcome == outcome_of_answer(ID, answer)


@pytest.mark.parametrize(
    ("payload", "header", "error_type"),
    [
        (b'{"errorType":"Mine"}', "Runtime.Other", "Mine"),
        (b'{"errorMessage":"m"}', "Function.Other", "Function.Other"),
        (b'{"errorType":""}', "Function.Other", "Function.Other"),
        (b'{"errorType":7}', None, "Runtime.Unknown"),
        (b"[1]", None, "Runtime.Unknown"),
        (b"no json", "Runtime.Other", "Runtime.Other"),
        (b"", None, "Runtime.Unknown"),
        (b"[" * 100_000, "Runtime.Other", "Runtime.Other"),
        (b'{"errorType":' + b"[" * 100_000, None, "Runtime.Unknown"),
        (rb'{"errorType":"a\ud800b"}', None, "a?b"),
        (rb'{"errorType":"\ud83d\ude00"}', None, "😀"),
        (b'{"errorType":"\xff"}', "Runtime.Other", "Runtime.Other"),
    ],
    ids=[
        *("own", "header", "empty", "no-text", "no-object", "no-json", "nothing"),
        *("deep", "deep-within", "half-a-character", "both-halves", "no-utf-8"),
    ],
)
def test_error_type_of(payload: bytes, header: str | None, error_type: str) -> None:
    """The object's own type first, then the header's, then AWS's word for neither; whatever was posted can be logged."""
    assert error_type == error_type_of(Answer(payload, is_error=True, error_type=header))


@given(st.text(min_size=1), st.none() | st.text(min_size=1))
def test_posted_type_is_kept(error_type: str, header: str | None) -> None:
    """Whatever type a function gives its error, the report has it."""
    payload = json.dumps({"errorType": error_type}).encode()
    assert error_type == error_type_of(Answer(payload, is_error=True, error_type=header))
