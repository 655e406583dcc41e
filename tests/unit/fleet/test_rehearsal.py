"""Of which runtimes something can be learned, and what the function of a rehearsal is."""

from __future__ import annotations

from pathlib import Path

import pytest

from plimsoll.fleet.rehearsal import rehearsal_function
from plimsoll.runtimes.runtime import Manifest, Runtime


def runtime(name: str, language: str, origin: str = "packages") -> Runtime:
    manifest = Manifest(name, language, "1", "client 1", "recipe", origin)  # type: ignore[arg-type]
    return Runtime(manifest, Path("/nowhere"))


@pytest.mark.parametrize(
    ("name", "language", "handler"),
    [("nodejs22.x", "nodejs", "index"), ("python3.12", "python", "app")],
)
def test_the_function_is_there_and_does_nothing(name: str, language: str, handler: str) -> None:
    """One file each, and nothing in it that would touch more than the runtime does."""
    function = rehearsal_function(runtime(name, language))
    assert function is not None
    assert (function.runtime, function.handler) == (name, f"{handler}.handler")
    (file,) = function.code_root.glob(f"{handler}.*")
    assert "import" not in file.read_text()
    assert "require" not in file.read_text()


@pytest.mark.parametrize(
    ("name", "language", "origin"),
    [
        ("provided.al2023", "provided", "packages"),
        ("java21", "java", "root"),
        ("python3.12", "python", "root"),
    ],
)
def test_of_others_nothing_is_learned(name: str, language: str, origin: str) -> None:
    """Custom runtimes are the function's own; whole root file systems would have to be walked through."""
    assert rehearsal_function(runtime(name, language, origin)) is None
