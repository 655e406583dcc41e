"""Installed runtimes that hold nothing but their manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plimsoll.runtimes.recipe import recipe
from plimsoll.runtimes.runtime import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., Path]:
    """Puts a runtime into the data folder `tmp_path`; gives its folder."""

    def put(name: str, made_by: str | None = None) -> Path:
        language = "nodejs" if name.startswith("nodejs") else "python"
        folder = tmp_path / "runtimes" / name
        folder.mkdir(parents=True)
        manifest = Manifest(
            name,
            "nodejs" if language == "nodejs" else "python",
            "1.2.3",
            "c",
            made_by or recipe(name),
        )
        (folder / "manifest.json").write_text(manifest.to_json())
        return folder

    return put
