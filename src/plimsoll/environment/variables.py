"""The function's environment variables, built from scratch: nothing of Plimsoll's own is inherited.

Source: facts sheet E1 (recorded dumps, 2025-11 to 2026-02). Rule: the customer's variables may override the
unreserved ones; the reserved ones are set last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plimsoll.runtime_api.logs import FRAMED_FD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plimsoll.model import Function

# Credentials that look like credentials and open nothing: the host's own are never shown to a function.
# A user who wants real ones in gives them to the endpoint that checks them, or through --env under other names.
_NO_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "ASIAPLIMSOLLNOTREAL0",
    "AWS_SECRET_ACCESS_KEY": "plimsoll-not-a-real-secret",
    "AWS_SESSION_TOKEN": "plimsoll-not-a-real-token",
}


def function_variables(
    function: Function,
    of_runtime: Mapping[str, str],
    *,
    runtime_api: str,
    log_stream: str,
) -> dict[str, str]:
    """All variables of the runtime process. `of_runtime` is the language's own part, `runtime_api` host:port."""
    unreserved = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": (
            "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:"
            "/var/task:/var/task/lib:/opt/lib"
        ),
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
        "PWD": "/var/task",
        "SHLVL": "0",
        **of_runtime,
    }
    reserved = {
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "_HANDLER": function.handler,
        "_LAMBDA_TELEMETRY_LOG_FD": str(FRAMED_FD),
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        **_NO_CREDENTIALS,
    }
    return {**unreserved, **function.environment, **reserved}
