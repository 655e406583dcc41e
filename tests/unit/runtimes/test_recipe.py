"""The digest of what an install depends on beside the packages it fetches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from plimsoll.runtimes import recipe as module
from plimsoll.runtimes.catalog import NODE_CLIENTS, PYTHONS
from plimsoll.runtimes.recipe import inside_files, recipe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", [*NODE_CLIENTS, *PYTHONS])
def test_form(name: str) -> None:
    """Sixteen hex digits, the same each time."""
    assert re.fullmatch("[0-9a-f]{16}", recipe(name))
    assert recipe(name) == recipe(name)


def test_clients_version_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of AWS's client makes the installs with it anew, and no others."""
    before = [recipe(name) for name in ("nodejs20.x", "nodejs24.x", "python3.12")]
    monkeypatch.setitem(NODE_CLIENTS, "nodejs20.x", "9.9.9")
    after = [recipe(name) for name in ("nodejs20.x", "nodejs24.x", "python3.12")]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, True, True]


def test_our_own_files_are_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of ours that changes, in name or content, changes the recipe."""
    (tmp_path / "a").write_bytes(b"1")
    monkeypatch.setattr(module, "inside_files", lambda language: sorted(tmp_path.iterdir()))
    seen = {recipe("python3.12")}
    (tmp_path / "a").write_bytes(b"2")
    seen.add(recipe("python3.12"))
    (tmp_path / "a").rename(tmp_path / "b")
    seen.add(recipe("python3.12"))
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("language", "names"),
    [("nodejs", ["bootstrap.mjs", "rapid-client.node.js"]), ("python", ["bootstrap.py"])],
)
def test_inside_files(language: str, names: list[str]) -> None:
    """The files that go beside AWS's client, by name."""
    assert names == [file.name for file in inside_files(language)]
