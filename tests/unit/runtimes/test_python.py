"""Finding an interpreter of the host; nothing here installs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from plimsoll.runtimes.python import find_python

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 65534
SERIES = "3.99"
"""No host has it."""


@pytest.fixture
def path_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, and a home without any Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


def answering(path: Path, series: str) -> Path:
    """A program that says that it is of this series."""
    path.write_text(f"#!/bin/sh\necho {series}\n")
    path.chmod(0o755)
    return path


def test_on_the_path(path_folder: Path) -> None:
    """One that says that it is of the series is found."""
    binary = answering(path_folder / f"python{SERIES}", SERIES)
    assert find_python(SERIES) == binary


def test_a_shim(path_folder: Path) -> None:
    """One that is called so and is of another series is none."""
    answering(path_folder / f"python{SERIES}", "3.1")
    assert find_python(SERIES) is None


@pytest.mark.parametrize("what", ["folder", "garbage", "not executable", "dangling"])
def test_what_cannot_be_started(path_folder: Path, what: str) -> None:
    """Whatever else has the name is passed over."""
    place = path_folder / f"python{SERIES}"
    if what == "folder":
        place.mkdir()
    elif what == "dangling":
        place.symlink_to("nowhere")
    else:
        place.write_bytes(b"\x7fELF, not")
        place.chmod(0o755 if what == "garbage" else 0o644)
    assert find_python(SERIES) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become nobody")
def test_a_folder_where_one_may_not_look(
    path_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user with root's PATH looks on in the places that are open to all."""
    answering(path_folder / f"python{SERIES}", SERIES)
    monkeypatch.setenv("HOME", str(path_folder))
    path_folder.chmod(0o700)
    os.seteuid(NOBODY)
    try:
        assert find_python(SERIES) is None
    finally:
        os.seteuid(0)
