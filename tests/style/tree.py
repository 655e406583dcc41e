"""The project's own files as these tests see them: parsed modules of `src`, test modules, what git tracks."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "plimsoll"
TESTS = ROOT / "tests"
_WITHOUT_GIT = ("src", "tests", "docs", "examples", "scripts", "requirements")


@dataclass(frozen=True)
class Module:
    """One Python file."""

    path: Path

    @property
    def name(self) -> str:
        """The path from the project's root, for messages."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def package(self) -> str:
        """The folder or file directly under `src/plimsoll` that it belongs to."""
        return self.path.relative_to(SOURCE).parts[0].removesuffix(".py")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.path.read_text())


@cache
def source_modules() -> tuple[Module, ...]:
    """All of `src/plimsoll`, in a fixed order."""
    return tuple(Module(path) for path in sorted(SOURCE.rglob("*.py")))


@cache
def collected_modules() -> tuple[Module, ...]:
    """All files of `tests` that pytest collects."""
    return tuple(Module(path) for path in sorted(TESTS.rglob("test_*.py")))


@cache
def tracked_files() -> tuple[Path, ...]:
    """What git tracks and what is there; in an unpacked release, which has no git, the folders it consists of."""
    if (ROOT / ".git").exists():
        command = ("git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z")
        listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
    else:
        paths = [path for folder in _WITHOUT_GIT for path in (ROOT / folder).rglob("*")]
    return tuple(path for path in paths if path.is_file())
