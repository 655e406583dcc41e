"""What `invoke` and `diagnose` are asked for, and the function that it describes."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from plimsoll.cli.request import OPTIONS, Request, read_request, with_options
from plimsoll.errors import CallerError
from plimsoll.model import Function
from plimsoll.runtimes import RuntimeStore
from plimsoll.runtimes.recipe import recipe
from plimsoll.runtimes.runtime import Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence


def parsed(*arguments: str) -> dict[str, Any]:
    """What click makes of these arguments."""

    @click.command()
    @with_options
    def command(**given: Any) -> int:
        return 0

    params: dict[str, Any] = command.make_context("plimsoll", list(arguments)).params
    return params


def refusal(*arguments: str) -> tuple[str, str | None]:
    """What is said against these, and what mends it."""
    with pytest.raises(CallerError) as caught:
        read_request(parsed("index.js", *arguments))
    return caught.value.message, caught.value.mend


@pytest.fixture
def store(tmp_path: Path) -> RuntimeStore:
    """A store with one Node and one Python that hold nothing but their manifest."""
    for name, language in (("nodejs20.x", "nodejs"), ("python3.12", "python")):
        folder = tmp_path / "data/runtimes" / name
        folder.mkdir(parents=True)
        manifest = Manifest(
            name, "nodejs" if language == "nodejs" else "python", "1", "c", recipe(name)
        )
        (folder / "manifest.json").write_text(manifest.to_json())
    return RuntimeStore(tmp_path / "data")


def test_defaults() -> None:
    """A path alone is a whole request, with Lambda's defaults."""
    assert read_request(parsed("index.js")) == Request(
        path=Path("index.js"),
        handler=None,
        runtime=None,
        memory_mib=128,
        tmp_mib=512,
        tmp_backing="tmpfs",
        accounting=None,
        timeout_s=3.0,
        payload=b"{}",
        environment={},
        layers=(),
        interval_s=0.0,
        network="host",
        form="table",
        report=None,
    )


def test_every_option(tmp_path: Path) -> None:
    """Each option has its place in the request."""
    report = tmp_path / "out.json"
    arguments = [
        "f",
        "--handler",
        "a.b",
        "--runtime",
        "python3.12",
        "--memory",
        "256",
        "--tmp-size",
        "1024",
        "--tmp-backing",
        "disk",
        "--accounting",
        "exact",
        "--timeout",
        "1.5",
        "--event",
        "[1]",
        "--env",
        "AB=1",
        "--env",
        "CD=2",
        "--layer",
        "l1",
        "--layer",
        "l2",
        "--interval",
        "2",
        "--network",
        "none",
        "--format",
        "json",
        "--report",
    ]
    assert read_request(parsed(*arguments, str(report))) == Request(
        path=Path("f"),
        handler="a.b",
        runtime="python3.12",
        memory_mib=256,
        tmp_mib=1024,
        tmp_backing="disk",
        accounting="exact",
        timeout_s=1.5,
        payload=b"[1]",
        environment={"AB": "1", "CD": "2"},
        layers=(Path("l1"), Path("l2")),
        interval_s=2.0,
        network="none",
        form="json",
        report=report,
    )


def test_options_in_their_order() -> None:
    """The help shows the options in the order of the one list."""

    @click.command()
    @with_options
    def command(**given: Any) -> int:
        return 0

    names = [parameter.name for parameter in command.params]
    assert (names[0], len(names)) == ("path", len(OPTIONS))
    assert names[-2:] == ["form", "report"]


def test_event_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--event -` reads the command's own standard input."""
    stdin = io.TextIOWrapper(io.BytesIO(b'{"a":1}'))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert read_request(parsed("index.js", "--event", "-")).payload == b'{"a":1}'


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command started without a standard input runs all the same, and refuses only to read it."""
    monkeypatch.setattr(sys, "stdin", None)
    assert read_request(parsed("index.js")).payload == b"{}"
    assert refusal("--event", "-") == ("--event -: standard input is closed", None)


@pytest.mark.parametrize(
    ("arguments", "message", "mend"),
    [
        (["--memory", "64"], "--memory 64: it is between 128 and 10240 MB", None),
        (["--tmp-size", "1"], "--tmp-size 1: it is between 512 and 10240 MB", None),
        (["--timeout", "901"], "--timeout 901: it is between 0.01 and 900 s", None),
        (["--interval", "nan"], "--interval nan: it is between 0 and 86400 s", None),
        (["--event", "@no.json"], "the event file no.json: No such file or directory", None),
        (["--env", "AB"], "--env AB: it has the form NAME=VALUE", None),
        (
            ["--report", "out.gif"],
            "--report out.gif: it ends in one of .html, .svg, .png, .json",
            None,
        ),
    ],
)
def test_refusals(arguments: Sequence[str], message: str, mend: str | None) -> None:
    """What is out of range or malformed is refused before any code is looked at."""
    assert (message, mend) == refusal(*arguments)


@pytest.mark.parametrize(
    ("option", "choices"),
    [("--accounting", "'exact', 'shared'"), ("--tmp-backing", "'tmpfs', 'disk'")],
)
def test_only_what_there_is_can_be_chosen(option: str, choices: str) -> None:
    """Another word is refused with those that there are."""
    with pytest.raises(click.BadParameter) as caught:
        parsed("index.js", option, "other")
    assert caught.value.message == f"'other' is not one of {choices}."


def test_function_of_a_file(tmp_path: Path, store: RuntimeStore) -> None:
    """A file alone: its own copy, the newest runtime that suits, its only export, and all defaults."""
    (tmp_path / "hello.js").write_text("exports.run = async () => 1;")
    request = read_request(parsed(str(tmp_path / "hello.js")))
    assert request.function(tmp_path / "staging", store) == Function(
        "hello", "nodejs20.x", "hello.run", tmp_path / "staging/task-hello"
    )


def test_function_of_a_folder(tmp_path: Path, store: RuntimeStore) -> None:
    """A folder with all options: used where it is, with the layers merged into one."""
    code, layer = tmp_path / "code", tmp_path / "layer"
    for folder in (code, layer):
        folder.mkdir()
    (code / "work.py").write_text("def run(event, context): ...")
    (layer / "x").touch()
    arguments = [
        "--handler",
        "work.run",
        "--memory",
        "256",
        "--tmp-size",
        "600",
        "--tmp-backing",
        "disk",
        "--timeout",
        "9",
        "--env",
        "AB=1",
        "--network",
        "none",
        "--layer",
    ]
    request = read_request(parsed(str(code), *arguments, str(layer)))
    assert request.function(tmp_path / "staging", store) == Function(
        name="code",
        runtime="python3.12",
        handler="work.run",
        code_root=code,
        memory_mib=256,
        tmp_mib=600,
        tmp_backing="disk",
        timeout_s=9.0,
        environment={"AB": "1"},
        layers=(tmp_path / "staging/opt",),
        network="none",
    )
    assert [path.name for path in (tmp_path / "staging/opt").iterdir()] == ["x"]


def test_runtime_that_is_not_installed(tmp_path: Path, store: RuntimeStore) -> None:
    """A runtime that was asked for by name is the store's to judge."""
    (tmp_path / "hello.js").write_text("exports.run = async () => 1;")
    request = read_request(parsed(str(tmp_path / "hello.js"), "--runtime", "nodejs22.x"))
    with pytest.raises(CallerError) as caught:
        request.function(tmp_path / "staging", store)
    assert caught.value.mend == "plimsoll runtimes add nodejs22.x"
