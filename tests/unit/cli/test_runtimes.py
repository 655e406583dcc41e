"""`plimsoll runtimes`: what is asked before anything is fetched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from plimsoll.cli.runtimes import runtimes
from plimsoll.errors import CallerError
from plimsoll.runtimes import Runtime
from plimsoll.runtimes.runtime import Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.mark.parametrize("arguments", [["nodejs99.x"], ["nodejs20.x", "nodejs99.x"]])
def test_unknown_names_are_told_before_a_yes_is_asked_for(
    tmp_path: Path, arguments: list[str]
) -> None:
    """Nobody agrees to a fetch that cannot be made, and nothing is installed of a list with such a name."""
    variables = {"PLIMSOLL_HOME": str(tmp_path / "data")}
    result = CliRunner().invoke(runtimes, ["add", *arguments], env=variables)
    assert isinstance(result.exception, CallerError)
    assert result.exception.message.startswith(
        "nodejs99.x is not a runtime of AWS Lambda that Plimsoll knows; supported: nodejs20.x, "
    )
    assert not (tmp_path / "data").exists()


def test_without_a_terminal_it_wants_the_yes_in_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody can be asked the option says so."""
    monkeypatch.setattr("os.isatty", lambda fd: False)
    variables = {"PLIMSOLL_HOME": str(tmp_path / "data")}
    result = CliRunner().invoke(runtimes, ["add", "nodejs20.x"], env=variables)
    assert isinstance(result.exception, CallerError)
    assert (result.exception.message, result.exception.mend) == (
        "installing runtimes needs a yes, and standard input is no terminal that could be asked",
        "plimsoll runtimes add --yes nodejs20.x",
    )


def run(data: Path, *arguments: str) -> Result:
    """The command on a data folder."""
    return CliRunner().invoke(runtimes, arguments, env={"PLIMSOLL_HOME": str(data)})


def install(data: Path, name: str) -> tuple[str, Path]:
    """A runtime without content, and an image for it; gives the image too."""
    manifest = Manifest(name, "java", "21", "", "", "root", "/image.tar")
    folder = data / "runtimes" / name
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(manifest.to_json())
    key = Runtime(manifest, folder).image_key
    image = data / "images" / f"runtime-{key[:32]}.img"
    image.parent.mkdir(exist_ok=True)
    image.write_bytes(bytes(1 << 20))
    return key, image


def test_list_tells_the_source_and_the_image(tmp_path: Path) -> None:
    """In JSON the sizes of the two are apart, in the table they are one."""
    _, image = install(tmp_path, "java21")
    lines = [
        json.loads(line) for line in run(tmp_path, "list", "--format", "json").output.splitlines()
    ]
    (java,) = [line for line in lines if line["name"] == "java21"]
    assert (java["state"], java["version"], java["source"]) == ("installed", "21", "/image.tar")
    assert java["imageBytes"] == image.stat().st_blocks * 512
    (line,) = [line for line in run(tmp_path, "list").output.splitlines() if "java21" in line]
    assert line.split() == ["java21", "installed", "21", "1", "MB", "from", "/image.tar"]


def test_remove_takes_the_image_along(tmp_path: Path) -> None:
    """Nothing of a removed runtime stays."""
    _, image = install(tmp_path, "java21")
    assert run(tmp_path, "remove", "java21").output == "java21 removed\n"
    assert not image.exists()


def test_prune(tmp_path: Path) -> None:
    """Images that nobody needs go, and are named with what that freed; those of installed runtimes stay."""
    _, image = install(tmp_path, "java21")
    for name in ("code-1.img", "runtime-1.img"):
        (image.parent / name).write_bytes(bytes(2 << 20))
    assert run(tmp_path, "prune").output == (
        "code-1.img removed: 2 MB\nruntime-1.img removed: 2 MB\n4 MB freed\n"
    )
    assert [path.name for path in image.parent.glob("*.img")] == [image.name]
    assert run(tmp_path / "empty", "prune").output == "0 MB freed\n"


def test_built_in_ones_need_no_yes(tmp_path: Path) -> None:
    """There is nothing to fetch."""
    assert run(tmp_path, "add", "provided.al2023").output == (
        "provided.al2023 is built in: it runs the bootstrap that the function brings\n"
    )


def test_from_is_for_one(tmp_path: Path) -> None:
    """A source is of one runtime."""
    result = run(tmp_path, "add", "java21", "java17", "--from", "image.tar")
    assert isinstance(result.exception, CallerError)
    assert result.exception.message == "--from is for one runtime; name one"


def test_from_wants_the_yes_in_writing_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mending command carries the source."""
    monkeypatch.setattr("os.isatty", lambda fd: False)
    result = run(tmp_path, "add", "java21", "--from", "image.tar")
    assert isinstance(result.exception, CallerError)
    assert result.exception.mend == "plimsoll runtimes add --yes java21 --from image.tar"
