"""The function's environment variables are those of AWS's dumps (facts sheet E1), and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plimsoll.environment.variables import function_variables
from plimsoll.model import Function

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def variables() -> Callable[..., dict[str, str]]:
    """The variables of a function `f` with these of its own."""

    def make(of_runtime: dict[str, str] | None = None, **environment: str) -> dict[str, str]:
        own: dict[str, Any] = {"memory_mib": 256, "region": "eu-west-1", "version": "7"}
        function = Function(
            "f", "python3.12", "app.handler", Path("/c"), environment=environment, **own
        )
        return function_variables(
            function, of_runtime or {}, runtime_api="127.0.0.1:9001", log_stream="2026/11/24/[7]0"
        )

    return make


def test_all(variables: Callable[..., dict[str, str]]) -> None:
    """The whole list: what a function sees that configured nothing, with credentials that open nothing."""
    assert variables() == {
        "AWS_ACCESS_KEY_ID": "ASIAPLIMSOLLNOTREAL0",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/24/[7]0",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_REGION": "eu-west-1",
        "AWS_SECRET_ACCESS_KEY": "plimsoll-not-a-real-secret",
        "AWS_SESSION_TOKEN": "plimsoll-not-a-real-token",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:"
        "/var/task:/var/task/lib:/opt/lib",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PWD": "/var/task",
        "SHLVL": "0",
        "TZ": ":UTC",
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "_HANDLER": "app.handler",
        "_LAMBDA_TELEMETRY_LOG_FD": "3",
    }


def test_nothing_is_inherited(
    variables: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plimsoll's own variables, with the host's credentials among them, never reach a function."""
    monkeypatch.setenv("AWS_PROFILE", "prod")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    assert "AWS_PROFILE" not in variables()
    assert variables()["AWS_SECRET_ACCESS_KEY"] == "plimsoll-not-a-real-secret"


@pytest.mark.parametrize("name", ["TZ", "PATH", "LANG", "AWS_XRAY_CONTEXT_MISSING", "PYTHONPATH"])
def test_unreserved_may_be_overridden(variables: Callable[..., dict[str, str]], name: str) -> None:
    """The function's own value counts, over the runtime's too."""
    assert variables({"PYTHONPATH": "/var/runtime"}, **{name: "mine"})[name] == "mine"


@pytest.mark.parametrize("name", ["_HANDLER", "AWS_REGION", "AWS_LAMBDA_RUNTIME_API"])
def test_reserved_are_set_last(variables: Callable[..., dict[str, str]], name: str) -> None:
    """A reserved name cannot be overridden, by whatever way it came."""
    assert variables(**{name: "mine"}) == variables()


def test_runtimes_own(variables: Callable[..., dict[str, str]]) -> None:
    """The language's part is added."""
    own = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12", "LC_CTYPE": "C.UTF-8"}
    assert variables(own) == {**variables(), **own}
