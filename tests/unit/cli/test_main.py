"""The one place that turns errors into exit codes, and the help that tells how to begin."""

from __future__ import annotations

import asyncio
import importlib
import os
import shlex
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from plimsoll import __version__
from plimsoll.cli import main
from plimsoll.errors import CallerError, ExitFault, HostCannot

if TYPE_CHECKING:
    from collections.abc import Callable

# the package's name `main` is the function, so the module is asked for by its path
module = importlib.import_module("plimsoll.cli.main")
group: click.Group = module.plimsoll
COMMANDS = ["diagnose", "doctor", "invoke", "runtimes"]


@pytest.fixture
def plimsoll(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the console script's entry with these arguments; gives its exit status."""

    def run(*arguments: str, does: Callable[[], int | None] | None = None) -> int:
        if does is not None:
            monkeypatch.setitem(group.commands, "fake", click.Command("fake", callback=does))
        monkeypatch.setattr(sys, "argv", ["plimsoll", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        assert isinstance(caught.value.code, int)
        return caught.value.code

    return run


def raising(error: BaseException) -> Callable[[], int | None]:
    """A command that ends with this error."""

    def command() -> int | None:
        raise error

    return command


def shown(*arguments: str) -> str:
    """What a help text prints."""
    result = CliRunner().invoke(group, [*arguments, "--help"], prog_name="plimsoll")
    assert result.exit_code == 0
    return result.output


def examples(text: str) -> list[list[str]]:
    """The command lines that a help text shows, without the program's name."""
    lines = (line.strip() for line in text.splitlines())
    return [shlex.split(line)[1:] for line in lines if line.startswith("plimsoll ")]


@pytest.mark.parametrize(("given", "status"), [(None, 0), (0, 0), (1, 1), (3, 3)])
def test_commands_own_status(plimsoll: Callable[..., int], given: int | None, status: int) -> None:
    """What a command returns is the exit status; nothing is 0."""
    assert status == plimsoll("fake", does=lambda: given)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (
            CallerError("no code", mend="write some"),
            2,
            "plimsoll: no code\n  mend: write some\n",
        ),
        (CallerError("no code"), 2, "plimsoll: no code\n"),
        (
            HostCannot("no cgroups", mend="mount them"),
            3,
            "plimsoll: no cgroups\n  mend: mount them\n",
        ),
        (ExitFault("id", "it died"), 1, "plimsoll: RequestId: id Error: it died\n"),
        (
            KeyboardInterrupt(),
            130,
            "plimsoll: interrupted by SIGINT; the environment and all it held are gone\n",
        ),
        (
            click.Abort(),
            130,
            "plimsoll: interrupted by SIGINT; the environment and all it held are gone\n",
        ),
        (
            asyncio.CancelledError(),
            143,
            "plimsoll: interrupted by SIGTERM; the environment and all it held are gone\n",
        ),
        (
            asyncio.CancelledError("SIGHUP"),
            129,
            "plimsoll: interrupted by SIGHUP; the environment and all it held are gone\n",
        ),
        (
            CallerError("the zip's entry \x1b[2J\n  leads out", mend="name \x07 another"),
            2,
            "plimsoll: the zip's entry \\x1b[2J\n  leads out\n  mend: name \\x07 another\n",
        ),
    ],
    ids=[
        "mend",
        "no-mend",
        "host",
        "function",
        "interrupt",
        "abort",
        "terminated",
        "hung-up",
        "escape",
    ],
)
def test_errors(
    plimsoll: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    said: str,
) -> None:
    """Each family has its status, its message goes to stderr, and stdout stays clean."""
    assert status == plimsoll("fake", does=raising(error))
    captured = capsys.readouterr()
    assert (captured.out, captured.err.lstrip("\n")) == ("", said)


@pytest.mark.parametrize(
    "writing", [click.echo, Console().print, print], ids=["click", "rich", "print"]
)
def test_readers_that_have_gone(
    plimsoll: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    writing: Callable[[str], None],
) -> None:
    """A closed pipe, as behind `head`, is no failure, and nobody complains at exit."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert plimsoll("fake", does=lambda: writing("words")) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("writing", [click.echo, Console().print], ids=["click", "rich"])
def test_a_full_device(
    plimsoll: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    writing: Callable[[str], None],
) -> None:
    """Output that finds no room is told at once, with status 3, and not again at exit."""
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert plimsoll("fake", does=lambda: writing("words")) == 3
    assert capsys.readouterr().err == (
        "plimsoll: standard output cannot be written: No space left on device\n"
        "  mend: free some space there, or write elsewhere\n"
    )


def test_a_full_device_that_is_not_the_output(
    plimsoll: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operating system's error that has nothing to do with the output stays a bug of ours."""
    error = OSError(28, "No space left on device")
    monkeypatch.setitem(group.commands, "fake", click.Command("fake", callback=raising(error)))
    monkeypatch.setattr(sys, "argv", ["plimsoll", "fake"])
    with pytest.raises(OSError) as caught:
        main()
    assert caught.value is error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command 'nonsense'."),
        (["invoke"], "Missing argument 'PATH'."),
        (["invoke", "x", "--nonsense"], "No such option '--nonsense'."),
        (["invoke", "x", "--repeat", "0"], "0 is not in the range x>=1."),
        (["invoke", "x", "--memory", "much"], "'much' is not a valid integer."),
        (["invoke", "x", "--interval", "-1"], "--interval -1: it is between 0 and 86400 s"),
        (["invoke", "x", "--format", "xml"], "'xml' is not one of 'table', 'text', 'json'."),
    ],
)
def test_wrong_usage(
    plimsoll: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    """Wrong usage is status 2, with what was wrong on stderr."""
    assert plimsoll(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.rstrip().endswith(message)


def test_any_other_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours is shown with its traceback, never dressed up as a status."""
    error = ZeroDivisionError("bug")
    monkeypatch.setitem(group.commands, "fake", click.Command("fake", callback=raising(error)))
    monkeypatch.setattr(sys, "argv", ["plimsoll", "fake"])
    with pytest.raises(ZeroDivisionError) as caught:
        main()
    assert caught.value is error


def test_version(plimsoll: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` names the program and its version."""
    assert plimsoll("--version") == 0
    assert capsys.readouterr().out == f"plimsoll, version {__version__}\n"


def test_help_lists_the_commands() -> None:
    """The help says what the program is, and lists every command with a sentence."""
    text = shown()
    assert "AWS Lambda on your own Linux machine, with memory that is real." in text
    listed = text.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed] == COMMANDS
    assert [line for line in listed if len(line.split()) < 4] == []


def test_help_with_h() -> None:
    """`-h` is `--help`."""
    result = CliRunner().invoke(group, ["-h"], prog_name="plimsoll")
    assert (result.exit_code, result.output) == (0, shown())


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["invoke"],
        ["diagnose"],
        ["doctor"],
        ["runtimes"],
        ["runtimes", "list"],
        ["runtimes", "add"],
        ["runtimes", "remove"],
    ],
)
def test_examples_can_be_typed(arguments: list[str]) -> None:
    """The help has examples, and every one of them is a command line that parses."""
    found = examples(shown(*arguments))
    assert found != []
    for words in found:
        command: click.Command = group
        while isinstance(command, click.Group):
            name, *words = words
            command = command.commands[name]
        assert command.make_context("plimsoll", words).args == []


@pytest.mark.parametrize("command", ["invoke", "diagnose"])
def test_every_option_is_told(command: str) -> None:
    """The help of the two main commands has all options of the contract, with their defaults."""
    text = shown(command)
    options = [
        "--handler",
        "--runtime",
        "--memory",
        "--tmp-size",
        "--tmp-backing",
        "--accounting",
        "--timeout",
        "--event",
        "--env",
        "--layer",
        "--repeat",
        "--interval",
        "--network",
        "--format",
        "--report",
    ]
    assert [option for option in options if f"  {option} " not in text] == []
    for default in ("[default: 128]", "[default: 512]", "[default: tmpfs]", "[default: table]"):
        assert default in " ".join(text.split())


@pytest.mark.parametrize("command", ["invoke", "diagnose"])
def test_ranges_are_told(command: str) -> None:
    """Every option says what it is for, and the numbers what they may be."""
    text = " ".join(shown(command).split())
    said = [
        "--memory MB MemorySize, 128 to 10240.",
        "--tmp-size MB EphemeralStorage, 512 to 10240.",
        "--tmp-backing [tmpfs|disk] What holds /tmp: memory, the stricter; or a disk with its page cache, "
        "as on AWS today.",
        "--accounting [exact|shared] Whose the page cache is: the environment's own; or the host's, corrected. "
        "Default: exact where this host can.",
        "--timeout S The function's timeout in seconds, 0.01 to 900.",
        "--interval S Seconds between invocations, 0 to 86400.",
        "--network [host|none] What the function reaches: what the host does, or loopback alone.",
        "--format [table|text|json] A table; the log as CloudWatch shows it; a JSON object a line.",
    ]
    assert [words for words in said if words not in text] == []
    options = group.commands[command].params
    assert [o.name for o in options if isinstance(o, click.Option) and not o.help] == []
