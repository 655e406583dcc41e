"""AWS's own runtime clients run handlers of every form, unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.conftest import invoke, log_text, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Function
    from plimsoll.runtimes import RuntimeStore

CALLBACK = "exports.handler = (e, c, cb) => setTimeout(() => cb(null, {got: e.x}), 5);\n"
ASYNC = "module.exports.handler = async (e) => ({got: e.x});\n"
ESM = "export const handler = async (e) => ({got: e.x});\n"
TOP_LEVEL_AWAIT = (
    "const y = await Promise.resolve(1);\nexport const handler = async (e) => ({got: e.x * y});\n"
)


@pytest.mark.parametrize(
    ("runtime", "name", "code"),
    [
        ("nodejs20.x", "index.js", CALLBACK),
        ("nodejs20.x", "index.js", ASYNC),
        ("nodejs20.x", "index.mjs", ESM),
        ("nodejs22.x", "index.js", CALLBACK),
        ("nodejs22.x", "index.mjs", TOP_LEVEL_AWAIT),
        ("nodejs24.x", "index.js", ASYNC),
        ("nodejs24.x", "index.mjs", ESM),
    ],
)
async def test_node_handlers(
    fleet: Fleet,
    store: RuntimeStore,
    deploy: Callable[..., Function],
    runtime: str,
    name: str,
    code: str,
) -> None:
    """Callback, async, CommonJS and ES modules give their value, twice in a row in one environment."""
    store.add(runtime, lambda step: None)
    function = deploy(code, name, runtime=runtime)
    for number in (1, 2):
        completed = await invoke(fleet, function, {"x": 7})
        assert response(completed) == {"got": 7}
        assert completed.report.invocation == number


async def test_node_24_refuses_callbacks(
    fleet: Fleet, store: RuntimeStore, deploy: Callable[..., Function]
) -> None:
    """Version 4 of the client says so in AWS's own words."""
    store.add("nodejs24.x", lambda step: None)
    completed = await invoke(fleet, deploy(CALLBACK, "index.js", runtime="nodejs24.x"))
    assert response(completed)["errorType"] == "Runtime.CallbackHandlerDeprecated"


async def test_a_callback_is_answered_when_the_event_loop_is_empty(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """callbackWaitsForEmptyEventLoop: our transport must not be what keeps the loop alive, nor end it early."""
    code = "exports.handler = (e, c, cb) => { setTimeout(() => console.log('after'), 60); cb(null, 1); };\n"
    completed = await invoke(fleet, deploy(code, "index.js"))
    assert response(completed) == 1
    assert "\tINFO\tafter" in log_text(completed)


async def test_a_handler_that_never_calls_back_gives_null(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """Node up to 22: the loop runs empty and the answer is null."""
    completed = await invoke(fleet, deploy("exports.handler = (e, c, cb) => {};\n", "index.js"))
    assert (response(completed), completed.report.status) == (None, "success")


@pytest.mark.parametrize("name", ["app.py", "index.js"])
async def test_five_megabytes_there_and_back(
    fleet: Fleet, deploy: Callable[..., Function], name: str
) -> None:
    """A large event and a large response pass unchanged, letters beyond ASCII included."""
    code = (
        "def handler(e, c): return e\n"
        if name == "app.py"
        else "exports.handler = async (e) => e;\n"
    )
    event = {"text": "ä€😀x" * 200_000}
    completed = await invoke(fleet, deploy(code, name, memory_mib=512, timeout_s=20), event)
    assert response(completed) == event


async def test_python_logs(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """print is a line; logging is framed; a message of two lines is one event."""
    code = "import logging\ndef handler(e, c):\n  print('plain')\n  logging.warning('two\\nlines')\n  return c.memory_limit_in_mb\n"
    completed = await invoke(fleet, deploy(code))
    messages = [event.message for event in completed.logs]
    assert "plain\n" in messages
    assert any(
        message.startswith("[WARNING]\t") and "two\nlines" in message for message in messages
    )
    assert response(completed) == "128"


@pytest.mark.parametrize("where", ["init", "handler"])
async def test_output_without_a_newline_at_an_exit_is_not_lost(
    fleet: Fleet, deploy: Callable[..., Function], where: str
) -> None:
    """The last words of a process that dies are in its log, before the line that tells of its end."""
    dies = "os.write(1, b'last words'), os._exit(1)"
    code = f"import os\n{dies if where == 'init' else ''}\ndef handler(e, c):\n  {dies}\n"
    log = log_text(await invoke(fleet, deploy(code)))
    told = "INIT_REPORT" if where == "init" else "END RequestId"
    assert -1 < log.find("last words") < log.find(told)
