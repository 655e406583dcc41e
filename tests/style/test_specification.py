"""SPECIFICATION.md: every promise has its number and its test, and every test of the real kernel its promise."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.style.tree import ROOT, TESTS, Module

if TYPE_CHECKING:
    from pathlib import Path

_PROMISE = re.compile(r"^- \*\*S(\d+)\*\* (.+(?:\n  .+)*)", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_BENCH = re.compile(r"`scripts/bench ([\w-]+)`")
_PENDING = re.compile(r"\*\*pending\*\*: \S")
_CODE = re.compile(r"`[^`]*`")


@dataclass(frozen=True)
class Promise:
    """One numbered promise of the page."""

    number: int
    text: str

    @property
    def tests(self) -> list[tuple[str, str]]:
        """File and function of each test that it names."""
        return _TEST.findall(self.text)

    @property
    def benches(self) -> list[str]:
        """The benches that it names."""
        return _BENCH.findall(self.text)

    @property
    def is_pending(self) -> bool:
        """Whether it says what it waits for."""
        return _PENDING.search(self.text) is not None


def promises_of(page: str) -> list[Promise]:
    """All promises of a page, in their order."""
    return [Promise(int(number), text) for number, text in _PROMISE.findall(page)]


@cache
def promises() -> list[Promise]:
    """The promises of SPECIFICATION.md."""
    return promises_of((ROOT / "SPECIFICATION.md").read_text())


@cache
def functions_of(path: Path) -> set[str]:
    """The tests of a file; none where there is no such file."""
    tree = Module(path).tree if path.is_file() else ast.Module([], [])
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def bench_names() -> set[str]:
    """The names that `scripts/bench` takes: the keys of `BENCHES`."""
    tree = Module(ROOT / "bench" / "__main__.py").tree
    (names,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BENCHES"
    )
    assert isinstance(names, ast.Dict)
    return {ast.literal_eval(key) for key in names.keys if key is not None}


def test_numbers_are_unique_and_in_order() -> None:
    """From S1 on without a gap: a number is a name, and none stands twice."""
    assert [promise.number for promise in promises()] == list(range(1, len(promises()) + 1))


def test_no_promise_is_overlooked() -> None:
    """Every line that begins like a promise is read as one."""
    text = (ROOT / "SPECIFICATION.md").read_text()
    assert len(re.findall(r"^\s*[-*] ", text, re.MULTILINE)) == len(promises())


def test_a_promise_names_its_test_or_is_pending() -> None:
    """One or the other: what a test shows is not pending, and what none shows says what it waits for."""
    unclear = [
        promise.number
        for promise in promises()
        if bool(promise.tests or promise.benches) == promise.is_pending
    ]
    assert unclear == []


def test_named_tests_exist() -> None:
    """Each file is there and has a test of this name."""
    missing = [
        f"S{promise.number}: {file}::{name}"
        for promise in promises()
        for file, name in promise.tests
        if name not in functions_of(ROOT / file)
    ]
    assert missing == []


def test_named_benches_exist() -> None:
    """Each name is one that `scripts/bench` takes, and each of those has a promise."""
    assert {name for promise in promises() for name in promise.benches} == bench_names()


def test_every_test_of_the_real_kernel_keeps_a_promise() -> None:
    """What is worth a real kernel is worth a number."""
    named = {test for promise in promises() for test in promise.tests}
    kept = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in sorted((TESTS / "kernel").glob("test_*.py"))
        for name in functions_of(path)
    }
    assert sorted(kept - named) == []


def test_a_promise_is_one_sentence() -> None:
    """One sentence before the tests that it names; only what it waits for may be told in more."""
    long = {}
    for promise in promises():
        sentence = _CODE.sub("x", promise.text.split("**pending**")[0]).rstrip("x \n")
        if not sentence.endswith(".") or re.search(r"\. +[A-Z]", sentence):
            long[promise.number] = sentence
    assert long == {}


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("- **S1** It is. `tests/a/test_b.py::test_c`\n", (1, [("tests/a/test_b.py", "test_c")])),
        ("- **S2** It\n  is. `scripts/bench box`\n\nAnd\n", (2, ["box"])),
        ("- **S3** It will be. **pending**: the\n  freezer.\n## Next\n", (3, True)),
        ("- **S4** It will be. **pending**\n", (4, False)),
    ],
)
def test_the_page_is_read_as_it_is_meant(page: str, expected: tuple[int, object]) -> None:
    """The check itself: a promise may go over several lines, and pending is nothing without a reason."""
    (promise,) = promises_of(page)
    found = promise.tests or promise.benches or promise.is_pending
    assert (promise.number, found) == expected
