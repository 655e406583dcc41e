"""The examples in docstrings are run: what a docstring shows is what the code does."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import plimsoll

PACKAGE = Path(plimsoll.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(("plimsoll", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in PACKAGE.rglob("*.py")
    if "inside" not in path.parts and ">>> " in path.read_text()
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_docstring_examples(module: str) -> None:
    """Each example of the module gives what it shows, and the module does have one."""
    failed, attempted = doctest.testmod(importlib.import_module(module))
    assert (failed, attempted > 0) == (0, True)


def test_examples_are_found() -> None:
    """The search sees the package: a module known to have an example is among those run."""
    assert "plimsoll.records.text" in WITH_EXAMPLES
