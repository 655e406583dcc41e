"""The two families of errors, never mixed: ours (the platform's) and theirs (the function's, the caller's).

Rule: an error carries its answer. The edge (command line, HTTP) reads `exit_code`, `error_type` and `payload`
from it and needs no chain of ifs. Every message names the thing, the cause and the next step.
"""

from __future__ import annotations

import json
from typing import ClassVar


class PlimsollError(Exception):
    """The root of everything that Plimsoll raises on purpose.

    `message` says what is wrong; `mend`, where known, is the command or the change that mends it.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, mend: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend


class PlatformError(PlimsollError):
    """Ours: this host cannot do it, or Plimsoll itself failed. Exit status 3."""


class HostCannot(PlatformError):
    """The host lacks a right, a kernel feature or a controller that a true environment needs."""


class LimitNotEnforced(PlatformError):
    """A limit was written to the kernel and did not read back as written."""


class CallerError(PlimsollError):
    """Theirs: the caller asked for something that is wrong or missing. Exit status 2."""

    exit_code: ClassVar[int] = 2


class FunctionFault(PlimsollError):
    """Theirs: the function ended an invocation, or its init, without an answer of its own.

    `error_type` is AWS's name for it (facts sheet F3, C6), `error_message` the text of the payload.
    Sources of the texts: LocalStack's recordings of AWS (2025-11) and user reports (2025-07..2026-10).
    """

    exit_code: ClassVar[int] = 1
    error_type: str = "Runtime.Unknown"
    status: ClassVar[str] = "error"

    def __init__(self, request_id: str, reason: str) -> None:
        super().__init__(f"RequestId: {request_id} Error: {reason}")
        self.request_id = request_id

    @property
    def payload(self) -> bytes:
        """The JSON that AWS gives the caller, as bytes."""
        body = {"errorType": self.error_type, "errorMessage": self.message}
        return json.dumps(body, separators=(",", ":")).encode()


class ExitFault(FunctionFault):
    """The runtime process ended by itself or by a signal that was not the out-of-memory killer's."""

    error_type = "Runtime.ExitError"


class OutOfMemoryFault(FunctionFault):
    """The kernel killed the runtime because its cgroup was full."""

    error_type = "Runtime.OutOfMemory"

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id, "Runtime exited with error: signal: killed")


class TimeoutFault(FunctionFault):
    """The invocation was not over when the function's timeout was."""

    error_type = "Sandbox.Timedout"
    status: ClassVar[str] = "timeout"

    def __init__(self, request_id: str, timeout_s: float) -> None:
        super().__init__(request_id, f"Task timed out after {timeout_s:.2f} seconds")


class InvalidEntrypointFault(FunctionFault):
    """There was nothing to start, or it could not be executed."""

    error_type = "Runtime.InvalidEntrypoint"


class ResponseTooLargeFault(FunctionFault):
    """The runtime posted a response over the limit; the caller gets this instead."""

    error_type = "Function.ResponseSizeTooLarge"

    def __init__(self, request_id: str, limit_bytes: int) -> None:
        super().__init__(request_id, "")
        self.message = (
            f"Response payload size exceeded maximum allowed payload size ({limit_bytes} bytes)."
        )
