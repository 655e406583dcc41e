"""The peers: AWS's runtime interface emulator, bubblewrap, and a plain exec of the same runtime client."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import socket
import subprocess
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll import clock
from plimsoll.model import Invocation
from plimsoll.runtime_api import Delivery, Mailbox, Over, RuntimeApi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from plimsoll.model import Function
    from plimsoll.runtimes import Runtime

_EMULATOR = Path(".venv-bench")
_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}


def emulator() -> Path:
    """The emulator's binary, as the aws-sam-cli wheel brings it."""
    name = f"aws-lambda-rie-{_ARCHITECTURES[platform.machine()]}"
    found = next(_EMULATOR.glob(f"lib/*/site-packages/samcli/local/rapid/{name}"))
    found.chmod(0o755)
    return found.resolve()


def host_command(runtime: Runtime, function: Function) -> tuple[list[str], dict[str, str]]:
    """The very same runtime client, with the host's paths in place of the box's."""
    places = {
        "/var/lang": str(runtime.lang_dir),
        "/var/runtime": str(runtime.runtime_dir),
        "/var/task": str(function.code_root),
    }

    def on_host(text: str) -> str:
        for inside, outside in places.items():
            text = text.replace(inside, outside)
        return text

    variables = {
        "PATH": "/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "LD_LIBRARY_PATH": "/var/lang/lib",
        "LAMBDA_TASK_ROOT": "/var/task",
        "_HANDLER": function.handler,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_LOG_GROUP_NAME": "group",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_REGION": function.region,
        **runtime.environment(),
    }
    argv = [on_host(word) for word in runtime.command(function.memory_mib, function.handler)]
    return argv, {name: on_host(value) for name, value in variables.items()}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running_emulator(runtime: Runtime, function: Function) -> Iterator[int]:
    """The emulator with the runtime client below it; gives its port. It initialises on the first invoke."""
    port, api = _free_port(), _free_port()
    argv, variables = host_command(runtime, function)
    process = subprocess.Popen(
        [
            *(emulator(), "--log-level", "error"),
            *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
            *("--runtime-api-address", f"127.0.0.1:{api}", *argv),
        ],
        env=variables,
        cwd=function.code_root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_listening(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_listening(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.002)
        else:
            return


def emulator_request(payload: bytes) -> bytes:
    """The bytes of an invoke on a kept connection."""
    return (
        b"POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nHost: h\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(payload), payload)
    )


def read_answer(connection: socket.socket) -> bytes:
    """One answer with a Content-Length, whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return body


@asynccontextmanager
async def plain_exec(runtime: Runtime, function: Function) -> AsyncIterator[Mailbox]:
    """The client as a plain child process, on our own Runtime API, without box, cgroup or meter."""
    api = RuntimeApi()
    api.mailbox = Mailbox()
    listener = socket.create_server(("127.0.0.1", 0))
    argv, variables = host_command(runtime, function)
    variables["AWS_LAMBDA_RUNTIME_API"] = f"127.0.0.1:{listener.getsockname()[1]}"
    await api.listen(listener)
    process = subprocess.Popen(  # noqa: ASYNC220  vfork, half a millisecond
        argv, env=variables, cwd=function.code_root, stdout=subprocess.DEVNULL
    )
    try:
        yield api.mailbox
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
        await api.close()


async def first_response(mailbox: Mailbox, function: Function) -> None:
    """Waits for the init, hands out one event, waits for its end."""
    assert await mailbox.over is Over.NEXT
    deadline = clock.epoch_ms() + 30_000
    assert await mailbox.dispatch(Delivery(Invocation(), deadline, function.arn)) is Over.NEXT
    assert mailbox.answer is not None
    assert not mailbox.answer.is_error


def bubblewrap() -> list[str]:
    """bwrap with a box's namespaces and mounts, ready for a command."""
    if shutil.which("bwrap") is None:
        raise SystemExit("bench: bubblewrap is missing: apt-get install bubblewrap")
    system = [
        word
        for folder in ("/usr", "/bin", "/lib", "/lib64")
        if os.path.exists(folder)
        for word in ("--ro-bind", folder, folder)
    ]
    namespaces = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "sandbox")
    return ["bwrap", *system, *namespaces, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
