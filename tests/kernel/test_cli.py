"""The command as a user calls it: options, JSON contract, exit status."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
from pathlib import Path

import pytest

from tests.kernel.conftest import NODE, PYTHON, plimsoll

EXAMPLES = Path(__file__).parents[2] / "examples"
TMP_APPEND = str(EXAMPLES / "tmp-append/index.js")
pytestmark = pytest.mark.usefixtures("store")


async def test_json_lines_are_the_contract() -> None:
    """One object a line, the last one the verdict, with every member that DESIGN names."""
    status, out, _ = await plimsoll(
        "invoke", TMP_APPEND, "--runtime", NODE, "--repeat", "5", "--format", "json"
    )
    *invocations, verdict = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [i["invocation"] for i in invocations] == [1, 2, 3, 4, 5]
    assert invocations[0].keys() == {
        *(
            "type",
            "requestId",
            "status",
            "errorType",
            "durationMs",
            "billedDurationMs",
            "initDurationMs",
        ),
        *(
            "memorySizeMB",
            "maxMemoryUsedMB",
            "invocation",
            "environment",
            "response",
            "memory",
            "tmp",
        ),
    }
    memory = invocations[4]["memory"]
    parts = ("anonBytes", "tmpBytes", "shmemBytes", "fileBytes", "kernelBytes", "platformBytes")
    assert sum(memory[part] for part in parts) == memory["peakBytes"]
    assert (memory["source"], memory["accounting"]) == ("kernel", "exact")
    assert invocations[4]["tmp"]["files"] == [
        {"path": "/tmp/test", "bytes": 50 << 20, "deltaBytes": 10 << 20, "deleted": False}
    ]
    assert (verdict["type"], verdict["kind"], verdict["limit"]) == ("verdict", "tmp", "memory")
    assert verdict["causes"][0]["evidence"][0]["path"] == "/tmp/test"
    assert invocations[0]["initDurationMs"] > 0
    assert invocations[1]["initDurationMs"] is None


async def test_text_is_the_log_as_cloudwatch_shows_it() -> None:
    """INIT_START, START, END, REPORT and nothing of ours."""
    status, out, _ = await plimsoll("invoke", str(EXAMPLES / "hello/app.py"), "--format", "text")
    assert status == 0
    assert [line.split(" ")[0] for line in out.splitlines()] == [
        "INIT_START",
        "START",
        "END",
        "REPORT",
    ]


async def test_a_failed_function_is_exit_status_1(tmp_path: Path) -> None:
    """The function failed; Plimsoll did not."""
    (tmp_path / "app.py").write_text("def handler(e, c): 1 / 0\n")
    status, out, _ = await plimsoll("invoke", str(tmp_path / "app.py"))
    assert status == 1
    assert "ZeroDivisionError: division by zero" in out


async def test_diagnose_finds_a_heap_leak() -> None:
    """Exit status 1, kind heap, about 1 MiB per invocation."""
    status, out, _ = await plimsoll(
        "diagnose", str(EXAMPLES / "heap-leak/app.py"), "--format", "json"
    )
    verdict = json.loads(out.splitlines()[-1])
    assert (status, verdict["kind"]) == (1, "heap")
    assert abs(verdict["growthBytesPerInvocation"] - (1 << 20)) < 64 << 10


async def test_diagnose_finds_nothing_where_nothing_grows() -> None:
    """A hello-world is none (or warm-up that stopped), exit status 0."""
    for example in ("hello/app.py", "hello/index.mjs"):
        status, out, _ = await plimsoll("diagnose", str(EXAMPLES / example), "--format", "json")
        assert (status, json.loads(out.splitlines()[-1])["kind"] in {"none", "plateau"}) == (
            0,
            True,
        )


async def test_the_event_comes_from_text_file_or_standard_input(tmp_path: Path) -> None:
    """All three roads give the same."""
    (tmp_path / "event.json").write_text('{"name": "you"}')
    for event in ('{"name": "you"}', f"@{tmp_path}/event.json", "-"):
        _, out, _ = await plimsoll(
            *("invoke", str(EXAMPLES / "hello/app.py"), "--event", event, "--format", "json"),
            stdin=b'{"name": "you"}',
        )
        assert json.loads(out.splitlines()[0])["response"] == {"hello": "you"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch.js"], "nosuch.js: No such file or directory"),
        ([TMP_APPEND, "--runtime", "cobol1.x"], "cobol1.x is not a runtime of AWS Lambda that Plimsoll knows; supported: nodejs20.x"),
        ([TMP_APPEND, "--runtime", "java21"], "java21: Plimsoll cannot fetch Java"),
        ([TMP_APPEND, "--memory", "64"], "--memory 64: it is between 128 and 10240 MB"),
        ([TMP_APPEND, "--tmp-size", "1"], "--tmp-size 1: it is between 512 and 10240 MB"),
        ([TMP_APPEND, "--timeout", "0"], "--timeout 0: it is between 0.01 and 900 s"),
        ([TMP_APPEND, "--handler", "index.nope"], "index.js does not export nope; handlers that exist: index.handler"),
        ([TMP_APPEND, "--handler", "index." + "x" * 200], "--handler is 206 characters long; Lambda takes at most 128"),
        ([TMP_APPEND, "--handler", "index.my handler"], "has white space, which Lambda refuses"),
        ([TMP_APPEND, "--runtime", PYTHON], f"index.js is no file for {PYTHON}, which runs .py"),
        ([TMP_APPEND, "--interval", "nan"], "--interval nan: it is between 0 and 86400 s"),
        (["/dev/null"], "/dev/null is neither a file nor a folder"),
        ([TMP_APPEND, "--event", "{bad"], "--event is not JSON"),
        ([TMP_APPEND, "--tmp-backing", "nfs"], "'nfs' is not one of 'tmpfs', 'disk'"),
        ([TMP_APPEND, "--accounting", "mine"], "'mine' is not one of 'exact', 'shared'"),
        ([TMP_APPEND, "--env", "AWS_REGION=x"], "reserved keys"),
        ([TMP_APPEND, "--report", "out.gif"], "--report out.gif: it ends in one of"),
        ([TMP_APPEND, "--nosuch"], "No such option"),
    ],
)  # fmt: skip
async def test_wrong_usage_is_exit_status_2_and_names_the_thing(
    arguments: list[str], said: str
) -> None:
    """The thing, the cause and the next step, on standard error."""
    status, out, err = await plimsoll("invoke", *arguments)
    assert (status, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("ending", [".html", ".svg", ".png", ".json"])
async def test_reports(tmp_path: Path, ending: str) -> None:
    """Each form of the picture is written and holds what was seen."""
    path = tmp_path / f"out{ending}"
    await plimsoll("invoke", TMP_APPEND, "--runtime", NODE, "--repeat", "5", "--report", str(path))
    content = path.read_bytes()
    expected = {
        ".html": b"<!doctype html",
        ".svg": b"<svg",
        ".png": b"\x89PNG",
        ".json": b'{\n "invocations"',
    }
    assert content.startswith(expected[ending])


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("redirection", "arguments", "status", "said"),
    [
        ("<&-", "", 0, ""),
        ("<&-", "--event -", 2, "plimsoll: --event -: standard input is closed\n"),
        (">&-", "", 0, ""),
        (
            "> /dev/full",
            "",
            3,
            "plimsoll: standard output cannot be written: No space left on device\n"
            "  mend: free some space there, or write elsewhere\n",
        ),
        (
            "> /dev/full",
            "--format json",
            3,
            "plimsoll: standard output cannot be written: No space left on device\n"
            "  mend: free some space there, or write elsewhere\n",
        ),
    ],
)
async def test_streams_that_are_closed_or_full(
    redirection: str, arguments: str, status: int, said: str, unbuffered: str
) -> None:
    """What a stream cannot do is told in a sentence; one that is not needed is not missed."""
    hello = shlex.quote(str(EXAMPLES / "hello/app.py"))
    command = f"{shlex.quote(sys.executable)} -m plimsoll invoke {hello} {arguments} {redirection}"
    process = await asyncio.create_subprocess_shell(
        f"PYTHONUNBUFFERED={unbuffered} {command}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert (process.returncode, err.decode()) == (status, said)


async def test_a_parent_that_ignores_its_children_is_no_obstacle() -> None:
    """An ignored SIGCHLD is inherited; Plimsoll waits for its own processes all the same."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "plimsoll", "invoke", str(EXAMPLES / "hello/app.py")),
        stdout=asyncio.subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    )
    assert await process.wait() == 0


async def test_nothing_of_the_function_bends_the_terminal(tmp_path: Path) -> None:
    """Escapes in an error message or in a file's name are shown, not sent; the log alone is as it was written."""
    (tmp_path / "app.py").write_text(
        "def handler(e, c):\n"
        "  open('/tmp/\x1b[2J\\nVerdict: No growth\x07', 'ab').write(b'x' * (10 << 20))\n"
        "  raise ValueError('\x1b[2J\\n   9')\n"
    )
    _, out, err = await plimsoll(
        "invoke", str(tmp_path / "app.py"), "--repeat", "5", "--memory", "256"
    )
    assert r"ValueError: \x1b[2J\n   9" in out
    assert r"/tmp/\x1b[2J\nVerdict: No growth\x07 grows 10.0 MB per invocation" in " ".join(
        out.split()
    ).replace("· /tmp", "/tmp")
    assert [character for character in out + err if not character.isprintable()] == [
        "\n"
    ] * out.count("\n")


async def test_runtimes_list_and_doctor_have_json_forms() -> None:
    """What is installed is told by name; doctor finds this host fit."""
    status, out, _ = await plimsoll("runtimes", "list", "--format", "json")
    states = {line["name"]: line["state"] for line in map(json.loads, out.splitlines())}
    assert (status, states[NODE], states[PYTHON]) == (0, "installed", "installed")
    status, out, _ = await plimsoll("doctor", "--format", "json")
    assert status == 0
    assert "broken" not in {json.loads(line)["grade"] for line in out.splitlines()}
