"""Names, sizes and places of files, and what no file that git tracks may contain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.style.tree import ROOT, SOURCE, TESTS, tracked_files

LINES_MAX = 500
VAGUE = {"common", "helper", "helpers", "misc", "util", "utils"}
SOURCE_ENDINGS = {".py", ".js", ".mjs", ".cjs", ".ts"}
WITHOUT_A_SOURCE = {Path("test_examples.py")}
"""Files of `tests/unit` that test no single module."""
# written with brackets, so that this file does not hold what it forbids
FORBIDDEN = {
    "a path of somebody's machine": re.compile(rb"(?<![\w.-])/(?:[h]ome/[\w.-]+|[w]ork)/"),
    "the host of a package registry": re.compile(
        rb"registry[.]npmjs[.]org|\bpypi[.]org|files[.]pythonhosted[.]org|deb[.]debian[.]org"
    ),
}


def source_files() -> list[Path]:
    """Our own program text, in `src` and in `tests`."""
    files = [path for folder in (SOURCE, TESTS) for path in folder.rglob("*")]
    return [path for path in files if path.suffix in SOURCE_ENDINGS]


def test_a_file_is_named_for_what_it_holds() -> None:
    """Nothing is called utils, helpers, common or misc."""
    assert [
        str(path) for path in source_files() if path.stem in VAGUE or path.parent.name in VAGUE
    ] == []


def test_files_fit_in_the_head() -> None:
    """No source file has more than 500 lines."""
    lengths = {
        path.relative_to(ROOT): len(path.read_text().splitlines()) for path in source_files()
    }
    assert {path: length for path, length in lengths.items() if length > LINES_MAX} == {}


def test_unit_tests_mirror_the_source() -> None:
    """`tests/unit/a/test_b.py` tests `src/plimsoll/a/b.py`."""
    unit = TESTS / "unit"
    tests = [path.relative_to(unit) for path in sorted(unit.rglob("test_*.py"))]
    expected = {test: SOURCE / test.with_name(test.name.removeprefix("test_")) for test in tests}
    orphans = [
        str(test)
        for test, source in expected.items()
        if not source.is_file() and test not in WITHOUT_A_SOURCE
    ]
    assert orphans == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_names(what: str) -> None:
    """What holds on one machine only, or what another index would serve as well, stands in no file."""
    pattern = FORBIDDEN[what]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]!r}"
        for path in tracked_files()
        for number, line in enumerate(path.read_bytes().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("capitals", "expected"),
    [
        ("SEE /HOME/JANE/SRC", True),
        ("(/WORK/PROJECT)", True),
        ("HTTPS://PYPI.ORG/SIMPLE", True),
        ("REGISTRY.NPMJS.ORG", True),
        ("/HOME/{USER}:/SBIN/NOLOGIN", False),
        ("/VAR/TASK/NETWORK/", False),
        ("NOTPYPI.ORG", False),
    ],
)
def test_the_patterns_know_what_they_look_for(capitals: str, expected: bool) -> None:
    """The check itself: absolute paths of a user's folder are found, a longer word that ends alike is not."""
    text = capitals.lower().encode()
    assert any(pattern.search(text) for pattern in FORBIDDEN.values()) is expected
