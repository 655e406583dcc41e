"""Live memory has one reader: the meter, through the sandbox's cgroups. Nobody else names the kernel's files."""

from __future__ import annotations

import ast
import re

import pytest

from tests.style.tree import source_modules

READERS = {"meter", "sandbox"}
_KERNEL_FILE = re.compile(
    r"/proc/(?:\{\}|self|\d+)/|"
    r"(?:^|/)memory\.(?:current|peak|max|high|stat|events|usage_in_bytes|max_usage_in_bytes|limit_in_bytes|"
    r"kmem\.\w+|memsw\.\w+|oom_control|swap\.\w+)$"
)
_CALLS = {"statvfs", "fstatvfs", "getrusage"}


def readings(tree: ast.AST) -> list[str]:
    """Texts that name a process's or a cgroup's file, and calls that ask the kernel for sizes. Not docstrings."""
    found, seen = [], set[int]()
    for node in ast.walk(tree):  # breadth first: a whole before its parts
        text = ""
        if isinstance(node, ast.Expr):
            seen.add(id(node.value))  # a text that stands alone is documentation
        elif isinstance(node, ast.JoinedStr):
            seen.update(map(id, node.values))
            text = "".join(
                str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in seen:
            text = str(node.value)
        elif isinstance(node, ast.Attribute) and node.attr in _CALLS:
            found.append(node.attr)
        if _KERNEL_FILE.search(text):
            found.append(text)
    return found


def test_only_the_meter_and_the_sandbox_read_live_memory() -> None:
    """No other package names /proc/<pid> or a memory file of a cgroup."""
    found = {m.name: readings(m.tree) for m in source_modules() if m.package not in READERS}
    assert {name: texts for name, texts in found.items() if texts} == {}


@pytest.mark.parametrize("package", sorted(READERS))
def test_the_readers_are_seen_to_read(package: str) -> None:
    """The check itself: it finds the readings where they are known to be."""
    modules = [module for module in source_modules() if module.package == package]
    assert any(readings(module.tree) for module in modules)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('open(f"/proc/{pid}/status")', ["/proc/{}/status"]),
        ('open("/proc/self/smaps_rollup")', ["/proc/self/smaps_rollup"]),
        ('f"{folder}/memory.max"', ["{}/memory.max"]),
        ("os.statvfs(path)", ["statvfs"]),
        ('"""As `memory.stat` says."""', []),
        ('self._open("memory.peak")', ["memory.peak"]),
        ('"memory.usage_bytes", "/proc/mounts"', []),
        ('"memory.stat has not the fields"', []),
    ],
)
def test_a_reading_is_told_from_a_word(text: str, expected: list[str]) -> None:
    """The check itself: file names in f-strings and calls count, documentation and fields of ours do not."""
    assert readings(ast.parse(text)) == expected
