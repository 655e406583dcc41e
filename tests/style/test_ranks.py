"""The ranks of the packages: a lower one never imports a higher one, and equals do not import each other."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.style.tree import SOURCE, Module, source_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

RANKS = (
    ("errors", "clock", "alarm", "event_loop", "model"),
    ("__init__", "settings", "file_lock", "lifecycle", "memory", "records"),
    ("sandbox", "store", "aws", "runtimes", "images"),
    ("meter", "runtime_api", "deployment"),
    ("environment",),
    ("fleet", "diagnosis"),
    ("report", "services", "analysis"),
    ("server",),
    ("cli", "pytest_plugin", "testing"),
    ("__main__",),
)
"""What lies directly under `src/plimsoll`, the innermost rank first.

`__init__` is run by every import of the package, so it may import the innermost rank only. `settings` refuses with
`errors.CallerError`, so it is above it.
"""
TYPE_ONLY = {("diagnosis", "fleet")}
"""Imports of an equal that are allowed for annotations (`if TYPE_CHECKING`): the experiment is handed a fleet."""

_RANK_OF = {name: rank for rank, names in enumerate(RANKS) for name in names}


@dataclass(frozen=True)
class Import:
    """One import of another package of ours."""

    where: str
    importer: str
    imported: str
    type_only: bool


def imports_of(module: Module) -> Iterator[Import]:
    """All imports of other packages of ours in a module, wherever in it they stand."""
    type_only = {
        id(inner)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for imported in _packages(node):
                if imported != module.package:
                    where = f"{module.name}:{node.lineno}"
                    yield Import(where, module.package, imported, id(node) in type_only)


def _packages(node: ast.Import | ast.ImportFrom) -> set[str]:
    """Which of ours a statement imports: `from plimsoll import x` is the module `x`, or a name of `__init__`."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif node.module == "plimsoll":
        names = [f"plimsoll.{_module_or_init(alias.name)}" for alias in node.names]
    else:
        names = [node.module or ""]
    ours = [name.split(".") for name in names if name.split(".")[0] == "plimsoll"]
    return {parts[1] if len(parts) > 1 else "__init__" for parts in ours}


def _module_or_init(name: str) -> str:
    is_module = (SOURCE / name).is_dir() or (SOURCE / f"{name}.py").is_file()
    return name if is_module else "__init__"


def all_imports() -> list[Import]:
    """All imports between our packages that have a rank."""
    imports = [found for module in source_modules() for found in imports_of(module)]
    return [found for found in imports if {found.importer, found.imported} <= _RANK_OF.keys()]


def test_everything_under_the_package_has_a_rank() -> None:
    """A new package or top module is given its place in `RANKS` before it is used."""
    found = {module.package for module in source_modules()}
    without = sorted(found - _RANK_OF.keys())
    assert without == [], f"give {', '.join(without)} a rank in RANKS (tests/style/test_ranks.py)"


def test_imports_point_inward() -> None:
    """No module imports a package of a higher rank or of its own."""
    outward = [
        f"{found.where}: {found.importer} ({_RANK_OF[found.importer]}) imports "
        f"{found.imported} ({_RANK_OF[found.imported]})"
        for found in all_imports()
        if _RANK_OF[found.imported] >= _RANK_OF[found.importer]
        and not (found.type_only and (found.importer, found.imported) in TYPE_ONLY)
    ]
    assert outward == []


def test_the_exceptions_are_used() -> None:
    """`TYPE_ONLY` holds no exception that no import needs any more."""
    assert {(found.importer, found.imported) for found in all_imports() if found.type_only} >= (
        TYPE_ONLY
    )


def test_imports_are_written_out() -> None:
    """No relative import: the text itself says which package is meant."""
    relative = [
        f"{module.name}:{node.lineno}"
        for module in source_modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import plimsoll.fleet.fleet", {("fleet", False)}),
        ("from plimsoll.fleet import Fleet", {("fleet", False)}),
        ("from plimsoll import errors, __version__", {("errors", False), ("__init__", False)}),
        ("def f():\n  from plimsoll.cli import main", {("cli", False)}),
        ("if TYPE_CHECKING:\n  from plimsoll.cli import main", {("cli", True)}),
        ("if typing.TYPE_CHECKING:\n  if x:\n    import plimsoll.cli", {("cli", True)}),
        ("from plimsoll.meter.tmp import TmpMeter\nimport os, plimsollx.a", set()),
    ],
)
def test_the_walk_sees_every_form_of_import(text: str, expected: set[tuple[str, bool]]) -> None:
    """Plain, from, nested and type-only imports of ours are found; those of others and of oneself are none."""
    module = Module(SOURCE / "meter" / "made_up.py")
    module.__dict__["tree"] = ast.parse(text)
    assert {(found.imported, found.type_only) for found in imports_of(module)} == expected
