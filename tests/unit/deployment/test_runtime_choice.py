"""Which runtime: the one asked for, else the newest installed one that suits the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plimsoll.deployment import Package, choose_runtime
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from pathlib import Path

INSTALLED = ("nodejs22.x", "nodejs24.x", "nodejs20.x", "python3.9", "python3.13", "python3.11")
CALLBACK = "exports.handler = (event, context, callback) => callback(null, 1)"


def write(root: Path, *names: str, text: str = "") -> Package:
    """A package's folder with these files; one that ends in `/` is a folder."""
    for name in names:
        if name.endswith("/"):
            (root / name).mkdir()
        else:
            (root / name).write_text(text)
    return Package(root, "f", None)


@pytest.mark.parametrize(
    ("names", "runtime"),
    [
        (["index.js"], "nodejs24.x"),
        (["index.mjs"], "nodejs24.x"),
        (["index.cjs"], "nodejs24.x"),
        (["app.py"], "python3.13"),
        (["app.py", "index.js"], "nodejs24.x"),
        (["app.py", "chart.js/"], "python3.13"),
    ],
)
def test_newest_that_suits(tmp_path: Path, names: list[str], runtime: str) -> None:
    """By the files at the package's top; newest by number, not by letter."""
    assert runtime == choose_runtime(write(tmp_path, *names), None, INSTALLED)


@pytest.mark.parametrize("name", ["index.js", "index.mjs", "index.cjs"])
def test_callbacks_stay_below_24(tmp_path: Path, name: str) -> None:
    """Node 24 refuses callback handlers, so they run on the newest before it (facts sheet H5)."""
    package = write(tmp_path, name, text=CALLBACK)
    assert choose_runtime(package, None, INSTALLED) == "nodejs22.x"


def test_entry_alone_decides(tmp_path: Path) -> None:
    """Where PATH was a file, only that file is looked at."""
    write(tmp_path, "index.js", text=CALLBACK)
    write(tmp_path, "app.py")
    assert choose_runtime(Package(tmp_path, "f", "app.py"), None, INSTALLED) == "python3.13"


def test_requested(tmp_path: Path) -> None:
    """A requested one is taken as it is, installed or not: the store judges it."""
    assert choose_runtime(write(tmp_path, "app.py"), "java21", ()) == "java21"


@pytest.mark.parametrize(
    ("name", "text", "installed", "message", "mend"),
    [
        (
            "index.js",
            "",
            (),
            "no installed runtime runs this nodejs code; this host has: none",
            "plimsoll runtimes add nodejs20.x",
        ),
        (
            "index.js",
            CALLBACK,
            ("nodejs24.x", "python3.13"),
            "no installed runtime runs this nodejs code; this host has: nodejs24.x, python3.13",
            "plimsoll runtimes add nodejs20.x",
        ),
        (
            "app.py",
            "",
            ("nodejs24.x",),
            "no installed runtime runs this python code; this host has: nodejs24.x",
            "plimsoll runtimes add python3.13",
        ),
        (
            "bootstrap",
            "",
            INSTALLED,
            "custom runtimes (bootstrap, provided.al2023) are not supported yet",
            None,
        ),
        (
            "readme.md",
            "",
            INSTALLED,
            "{root} has neither JavaScript nor Python at its top: which runtime is it for?",
            "name it: --runtime nodejs20.x",
        ),
    ],
)
def test_nothing_suits(
    tmp_path: Path, name: str, text: str, installed: tuple[str, ...], message: str, mend: str | None
) -> None:
    """Where nothing installed suits, the refusal says what there is and what to add."""
    with pytest.raises(CallerError) as caught:
        choose_runtime(write(tmp_path, name, text=text), None, installed)
    assert (message.format(root=tmp_path), mend) == (caught.value.message, caught.value.mend)
