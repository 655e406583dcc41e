"""The customer's environment variables, by AWS's rules (facts sheet E1, F5)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_BYTES = 4096
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_RESERVED = re.compile(
    r"_HANDLER|_X_AMZN_TRACE_ID|AWS_DEFAULT_REGION|AWS_REGION|AWS_EXECUTION_ENV|AWS_LAMBDA_FUNCTION_\w+"
    r"|AWS_LAMBDA_INITIALIZATION_TYPE|AWS_LAMBDA_LOG_(GROUP|STREAM)_NAME|AWS_ACCESS_KEY(_ID)?"
    r"|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|AWS_LAMBDA_RUNTIME_API|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR"
    r"|AWS_LAMBDA_MAX_CONCURRENCY|AWS_LAMBDA_METADATA_\w+"
)


def parse_env(pairs: Sequence[str]) -> dict[str, str]:
    """`K=V` each; the last of a name counts.

    Raises `CallerError` for another form, a name AWS refuses or reserves, or more than 4 KB in all.
    """
    variables: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise CallerError(f"--env {pair}: it has the form NAME=VALUE")
        if _RESERVED.fullmatch(name):
            raise CallerError(
                f"--env {name}: Lambda was unable to configure your environment variables because the environment "
                f"variables you have provided contains reserved keys that are currently not supported for "
                f"modification. Reserved keys used in this request: {name}"
            )
        if not _NAME.fullmatch(name):
            raise CallerError(f"--env {name}: a name matches [a-zA-Z]([a-zA-Z0-9_])+")
        if "\0" in value:
            raise CallerError(f"--env {name}: the value has a NUL byte")
        variables[name] = value
    measured = json.dumps(variables, separators=(",", ":"))
    if len(measured.encode()) > LIMIT_BYTES:
        raise CallerError(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the 4KB limit. String measured: {measured[:200]}…"
        )
    return variables
