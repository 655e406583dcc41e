"""Errors carry their answer: exit status, AWS's type, the payload that the caller gets."""

from __future__ import annotations

import pytest

from plimsoll import errors
from plimsoll.errors import FunctionFault, PlimsollError

ID = "8f507cfc-0000-4697-b07a-ac58fc914c95"


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (errors.PlatformError("m"), 3),
        (errors.HostCannot("m"), 3),
        (errors.LimitNotEnforced("m"), 3),
        (errors.CallerError("m"), 2),
        (errors.ExitFault(ID, "r"), 1),
    ],
)
def test_exit_code(error: PlimsollError, exit_code: int) -> None:
    """Ours end the command with 3, the caller's with 2, the function's with 1."""
    assert exit_code == error.exit_code


def test_message_and_mend() -> None:
    """An error gives its message, also as its string, and the command that mends it."""
    error = errors.HostCannot("no loop devices", mend="modprobe loop")
    assert (
        error.message,
        str(error),
        error.mend,
    ) == ("no loop devices", "no loop devices", "modprobe loop")


def test_without_a_mend() -> None:
    """Where nothing is known to mend it, `mend` is None."""
    assert errors.CallerError("m").mend is None


@pytest.mark.parametrize(
    ("fault", "status", "payload"),
    [
        (
            errors.ExitFault(ID, "Runtime exited without providing a reason"),
            "error",
            '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: Runtime exited without providing a reason"}',
        ),
        (
            errors.OutOfMemoryFault(ID),
            "error",
            '{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: <id> Error: Runtime exited with error: signal: killed"}',
        ),
        (
            errors.TimeoutFault(ID, 1),
            "timeout",
            '{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: <id> Error: Task timed out after 1.00 seconds"}',
        ),
        (
            errors.InvalidEntrypointFault(ID, "exec format error"),
            "error",
            '{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: <id> Error: exec format error"}',
        ),
        (
            errors.ResponseTooLargeFault(ID, 6_291_556),
            "error",
            '{"errorType":"Function.ResponseSizeTooLarge","errorMessage":'
            '"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}',
        ),
    ],
)
def test_fault_is_the_payload_of_aws(fault: FunctionFault, status: str, payload: str) -> None:
    """Each fault is the error object that AWS gives the caller, byte for byte (facts sheet C6, F3)."""
    assert payload.replace("<id>", ID).encode() == fault.payload
    assert (status, ID) == (fault.status, fault.request_id)


@pytest.mark.parametrize(
    ("timeout_s", "said"), [(3, "3.00"), (0.25, "0.25"), (900, "900.00"), (1.5, "1.50")]
)
def test_timeout_has_two_decimals(timeout_s: float, said: str) -> None:
    """A timeout names the configured seconds with two decimals."""
    message = errors.TimeoutFault(ID, timeout_s).message
    assert f"RequestId: {ID} Error: Task timed out after {said} seconds" == message


def test_families_are_not_mixed() -> None:
    """No error is both ours and theirs."""
    ours, callers, functions = errors.PlatformError, errors.CallerError, errors.FunctionFault
    families = [
        [family for family in (ours, callers, functions) if issubclass(error, family)]
        for error in vars(errors).values()
        if isinstance(error, type)
        and issubclass(error, PlimsollError)
        and error is not PlimsollError
    ]
    assert [len(family) for family in families] == [1] * 10
