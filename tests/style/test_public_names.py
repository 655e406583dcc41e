"""Public names stand in a package's `__init__`, in its `__all__`, and nowhere else."""

from __future__ import annotations

import ast
import importlib

import pytest

from tests.style.tree import SOURCE, Module, source_modules

_INITS = [module for module in source_modules() if module.path.name == "__init__.py"]


def exported(module: Module) -> list[str] | None:
    """The value of `__all__`; None without one."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            value: list[str] = ast.literal_eval(node.value)
            return value
    return None


def imported_here(module: Module) -> set[str]:
    """The names that a module imports from ours at its top."""
    return {
        alias.asname or alias.name
        for node in module.tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "plimsoll"
        for alias in node.names
    }


def test_an_init_offers_what_it_imports() -> None:
    """`__all__` lists each name that the `__init__` takes from its modules; one without imports needs none."""
    found = {module.name: imported_here(module) - {*(exported(module) or [])} for module in _INITS}
    assert {name: hidden for name, hidden in found.items() if hidden} == {}


@pytest.mark.parametrize("module", _INITS, ids=lambda module: module.name)
def test_what_is_offered_exists(module: Module) -> None:
    """Each name of `__all__` can be had, and none stands there twice."""
    names = exported(module) or []
    dotted = ".".join(("plimsoll", *module.path.relative_to(SOURCE).parts[:-1]))
    package = importlib.import_module(dotted)
    assert [name for name in names if not hasattr(package, name)] == []
    assert sorted(set(names)) == sorted(names)


def test_only_an_init_offers_names() -> None:
    """No other module has an `__all__`."""
    others = [module for module in source_modules() if module.path.name != "__init__.py"]
    assert [module.name for module in others if exported(module) is not None] == []
