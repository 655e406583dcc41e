"""Every way to fail, as AWS reports it: payload, error type, log lines (facts sheet B, C6, F3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.kernel.conftest import invoke, log_text, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Completed, Function

Deploy = "Callable[..., Function]"


def report_line(completed: Completed) -> str:
    return log_text(completed).splitlines()[-1]


async def test_python_handler_error(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """The exception's own name and stack; REPORT has no Status, and the environment stays warm."""
    function = deploy("def handler(e, c):\n  raise ValueError('Handler fails')\n")
    completed = await invoke(fleet, function)
    body = response(completed)
    assert (body["errorType"], body["errorMessage"]) == ("ValueError", "Handler fails")
    assert body["requestId"] == completed.report.request_id
    assert "Status:" not in report_line(completed)
    assert "[ERROR] ValueError: Handler fails" in log_text(completed)
    again = await invoke(fleet, function)
    assert (again.report.invocation, again.report.log_stream) == (2, completed.report.log_stream)


async def test_node_handler_error(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """Node's form has a trace, and its log line is `Invoke Error`."""
    code = "exports.handler = async () => { throw new TypeError('Handler fails'); };\n"
    completed = await invoke(fleet, deploy(code, "index.js"))
    body = response(completed)
    assert (body["errorType"], body["errorMessage"]) == ("TypeError", "Handler fails")
    assert body["trace"][0] == "TypeError: Handler fails"
    assert "\tERROR\tInvoke Error \t{" in log_text(completed)


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("app.py", "import nosuch\ndef handler(e, c): ...\n", "Unable to import module 'app': No module named 'nosuch'"),
        ("index.js", "require('nosuch'); exports.handler = async () => 1;\n", "Error: Cannot find module 'nosuch'"),
    ],
)  # fmt: skip
async def test_missing_module(
    fleet: Fleet, deploy: Callable[..., Function], name: str, code: str, message: str
) -> None:
    """Init fails twice, with an INIT_REPORT for each phase; START comes after the second; REPORT has the type."""
    completed = await invoke(fleet, deploy(code, name))
    body = response(completed)
    assert body["errorType"] == "Runtime.ImportModuleError"
    assert body["errorMessage"].startswith(message)
    log = log_text(completed)
    order = [
        log.index("INIT_START"),
        log.index("Phase: init\tStatus: error\tError Type: Runtime.ImportModuleError"),
        log.index("Phase: invoke\tStatus: error\tError Type: Runtime.ImportModuleError"),
        log.index("START RequestId"),
        log.index("END RequestId"),
        log.index("REPORT RequestId"),
    ]
    assert order == sorted(order)
    assert report_line(completed).endswith("Status: error\tError Type: Runtime.ImportModuleError")
    assert "Init Duration" not in report_line(completed)


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("app.py", "def other(e, c): ...\n", "Handler 'handler' missing on module 'app'"),
        (
            "index.js",
            "exports.other = async () => 1;\n",
            "index.handler is undefined or not exported",
        ),
    ],
)
async def test_wrong_handler_name(
    fleet: Fleet, deploy: Callable[..., Function], name: str, code: str, message: str
) -> None:
    """The runtime itself says Runtime.HandlerNotFound."""
    completed = await invoke(fleet, deploy(code, name))
    body = response(completed)
    assert (body["errorType"], body["errorMessage"]) == ("Runtime.HandlerNotFound", message)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os.kill(os.getpid(), 15)", "Runtime exited with error: signal: terminated"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
    ],
)
async def test_exit(fleet: Fleet, deploy: Callable[..., Function], call: str, reason: str) -> None:
    """A runtime that ends says how; a kill by anyone but the out-of-memory killer is an exit like others."""
    completed = await invoke(fleet, deploy(f"import os\ndef handler(e, c):\n  {call}\n"))
    request_id = completed.report.request_id
    assert response(completed) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: {reason}",
    }
    assert report_line(completed).endswith("Status: error\tError Type: Runtime.ExitError")


@pytest.mark.parametrize("end", ["os._exit(1)", "time.sleep(30)"], ids=["exit", "timeout"])
async def test_a_reset_keeps_tmp_and_the_log_stream_but_not_the_processes(
    fleet: Fleet, deploy: Callable[..., Function], end: str
) -> None:
    """After an exit or a timeout: the same stream, /tmp as it was, module state anew, init inside the Duration."""
    code = (
        "import os, time\ncalls = 0\ndef handler(e, c):\n  global calls\n  calls += 1\n"
        f"  if e.get('die'):\n    open('/tmp/kept', 'w').write('yes')\n    {end}\n"
        "  return [calls, open('/tmp/kept').read()]\n"
    )
    function = deploy(code, timeout_s=1)
    died = await invoke(fleet, function, {"die": True})
    assert died.report.fatal
    after = await invoke(fleet, function)
    assert response(after) == [1, "yes"]
    assert after.report.log_stream == died.report.log_stream
    assert "INIT_START" not in log_text(after)
    assert after.report.init_duration_ms is None


async def test_timeout(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """Duration is the configured timeout exactly; the payload is today's; the next invocation works."""
    code = "import time\ndef handler(e, c):\n  time.sleep(e.get('s', 0))\n  return 'ok'\n"
    function = deploy(code, timeout_s=1)
    completed = await invoke(fleet, function, {"s": 30})
    request_id = completed.report.request_id
    assert response(completed) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }
    assert re.search(r"\tDuration: 1000\.00 ms\t.*Status: timeout$", report_line(completed))
    assert response(await invoke(fleet, function)) == "ok"


async def test_out_of_memory_by_the_heap(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """Growth of the heap over the limit is killed by the kernel and told apart from any other exit."""
    code = "def handler(e, c):\n  kept = []\n  while True: kept.append(b'x' * (1 << 20))\n"
    completed = await invoke(fleet, deploy(code))
    request_id = completed.report.request_id
    assert response(completed) == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: signal: killed",
    }
    assert completed.report.max_memory_used_mib == 128
    assert report_line(completed).endswith("Status: error\tError Type: Runtime.OutOfMemory")


async def test_a_child_killed_for_memory_does_not_end_the_runtime(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """The handler sees its child die of signal 9 and answers."""
    code = (
        "import subprocess, sys\ndef handler(e, c):\n"
        "  return subprocess.run([sys.executable, '-c', 'x=[]\\nwhile 1: x.append(b\"x\"*(1<<20))']).returncode\n"
    )
    completed = await invoke(fleet, deploy(code))
    assert response(completed) == -9
    assert completed.report.status == "success"


async def test_node_uncaught_exception(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """The caller gets the error that the runtime posted before it exited with 129."""
    code = "exports.handler = () => new Promise(() => setTimeout(() => { throw new Error('late'); }, 1));\n"
    completed = await invoke(fleet, deploy(code, "index.js"))
    assert response(completed)["errorMessage"] == "late"
    assert completed.report.error_type == "Runtime.ExitError"


async def test_response_over_six_megabytes(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """Function.ResponseSizeTooLarge with AWS's text; the runtime goes on."""
    completed = await invoke(fleet, deploy("def handler(e, c):\n  return 'x' * 6_400_000\n"))
    assert response(completed) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
