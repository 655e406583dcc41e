"""Words where a reader looks for them: modules, public names, tests."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tests.style.tree import TESTS, Module, collected_modules, source_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def undocumented(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Public definitions without a docstring, with those inside of public classes.

    The methods of a class that opens with "See `…`" are described there, in the interface that it fills.
    """
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        words = ast.get_docstring(node)
        if not words:
            yield f"{prefix}{node.name}"
        elif isinstance(node, ast.ClassDef) and not words.startswith("See `"):
            yield from undocumented(node.body, f"{prefix}{node.name}.")


def test_a_module_opens_with_words() -> None:
    """Every module that is not empty says first what it is."""
    modules = [*source_modules(), *(Module(path) for path in sorted(TESTS.rglob("*.py")))]
    silent = [m.name for m in modules if m.tree.body and not ast.get_docstring(m.tree)]
    assert silent == []


def test_public_names_are_described() -> None:
    """Every public class, function and method of `src` has a docstring."""
    found = {module.name: list(undocumented(module.tree.body)) for module in source_modules()}
    assert {name: silent for name, silent in found.items() if silent} == {}


def test_a_test_tells_its_promise() -> None:
    """Every test function has a docstring."""
    silent = [
        f"{module.name}:{node.lineno} {node.name}"
        for module in collected_modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_what_has_no_words_is_found() -> None:
    """The check itself: public definitions count, private ones and interface implementations do not."""
    text = (
        "def f(): pass\n"
        "async def g(): 'words'\n"
        "def _h(): pass\n"
        "class A:\n  'words'\n  def a(self): pass\n  def __init__(self): pass\n"
        "class B:\n  'See `A`.'\n  def b(self): pass\n"
    )
    assert list(undocumented(ast.parse(text).body)) == ["f", "A.a"]
