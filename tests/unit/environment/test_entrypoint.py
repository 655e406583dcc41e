"""Which program an environment starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from plimsoll.environment.entrypoint import Entrypoint, choose_entrypoint
from plimsoll.model import Function
from plimsoll.runtimes import Runtime
from plimsoll.runtimes.runtime import Manifest

PYTHON = Runtime(Manifest("python3.12", "python", "3.12.9", "awslambdaric 4.2.2", "0"), Path("/r"))
CUSTOM = Runtime(Manifest("provided.al2023", "provided", "", "", ""), Path("/r"))
BOTH = ("/var/task/bootstrap", "/opt/bootstrap")


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["task", "opt"], Entrypoint(BOTH[:1])),
        (["task"], Entrypoint(BOTH[:1])),
        (["opt"], Entrypoint(BOTH[1:])),
        (["opt", "folder"], Entrypoint(BOTH[1:])),
        (["link"], Entrypoint(BOTH[:1])),
        ([], Entrypoint(BOTH[:1], looked_for=BOTH)),
    ],
)
def test_custom(tmp_path: Path, there: list[str], expected: Entrypoint) -> None:
    """The package's before the layer's; a folder of that name is none, and a link may lead anywhere inside."""
    for folder in ("task", "opt"):
        (tmp_path / folder).mkdir()
        if folder in there:
            (tmp_path / folder / "bootstrap").touch()
    if "folder" in there:
        (tmp_path / "task/bootstrap").mkdir()
    if "link" in there:
        (tmp_path / "task/bootstrap").symlink_to("/opt/elsewhere")
    function = Function("f", "provided.al2023", "h", tmp_path / "task", layers=(tmp_path / "opt",))
    assert choose_entrypoint(function, CUSTOM) == expected


def test_managed(tmp_path: Path) -> None:
    """A runtime with a command of its own is not asked for a bootstrap."""
    (tmp_path / "bootstrap").touch()
    function = Function("f", "python3.12", "app.handler", tmp_path)
    assert choose_entrypoint(function, PYTHON) == Entrypoint(PYTHON.command(128, "app.handler"))
