"""Which handler: the one asked for, checked; else the first usual one that exists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.deployment import Package, choose_handler
from plimsoll.deployment.handler import find_file, split_handler
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from plimsoll.runtimes.catalog import Language

JS = "exports.{} = async () => 1;"
PY = "def {}(event, context): ..."
WORDS = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True)


def write(root: Path, files: dict[str, str]) -> Package:
    """A package of these files; a single one is the entry."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Package(root, "f", next(iter(files)) if len(files) == 1 else None, Path("given"))


@pytest.mark.parametrize(
    ("language", "files", "handler"),
    [
        ("nodejs", {"index.js": JS.format("handler"), "b.js": ""}, "index.handler"),
        ("nodejs", {"app.mjs": "export const handler = 1;", "b.js": ""}, "app.handler"),
        ("nodejs", {"index.js": "module.exports = make();", "b.js": ""}, "index.handler"),
        ("nodejs", {"index.js": JS.format("x"), "app.js": JS.format("handler")}, "app.handler"),
        ("python", {"app.py": PY.format("lambda_handler"), "b.py": ""}, "app.lambda_handler"),
        ("python", {"main.py": PY.format("handler"), "b.py": ""}, "main.handler"),
        (
            "python",
            {
                "lambda_function.py": PY.format("lambda_handler"),
                "main.py": PY.format("lambda_handler"),
            },
            "lambda_function.lambda_handler",
        ),
    ],
)
def test_first_usual_one(
    tmp_path: Path, language: Language, files: dict[str, str], handler: str
) -> None:
    """A folder's handler is the first usual one whose file may export it."""
    assert handler == choose_handler(write(tmp_path, files), language, None)


@pytest.mark.parametrize(
    ("language", "name", "text", "handler"),
    [
        ("nodejs", "work.js", JS.format("run"), "work.run"),
        ("nodejs", "work.js", JS.format("a") + JS.format("handler"), "work.handler"),
        ("nodejs", "work.mjs", "export default async () => 1;", "work.default"),
        ("nodejs", "work.js", "module.exports = make();", "work.handler"),
        ("python", "work.py", PY.format("run"), "work.run"),
        ("python", "work.py", "import json\n" + PY.format("handler"), "work.handler"),
        ("python", "work.py", "import json\nLIMIT = 3\n" + PY.format("run"), "work.run"),
        ("python", "work.py", PY.format("helper") + "\nhandler = make()", "work.handler"),
        ("python", "work.py", "from impl import *", "work.lambda_handler"),
        ("python", "work.py", "import os\nfrom impl import *", "work.lambda_handler"),
        ("python", "work.py", "def broken(:", "work.lambda_handler"),
    ],
)
def test_single_file(
    tmp_path: Path, language: Language, name: str, text: str, handler: str
) -> None:
    """A single file's handler is the usual name among its exports, else its only function, else the usual one."""
    assert handler == choose_handler(write(tmp_path, {name: text}), language, None)


@pytest.mark.parametrize(
    ("language", "name", "text", "there"),
    [
        ("nodejs", "work.js", JS.format("b") + JS.format("a"), "work.b, work.a"),
        ("python", "work.py", "import os\ndef b(): ...\ndef a(): ...", "work.b, work.a, work.os"),
        ("python", "work.py", "class Handler: ...", "work.Handler"),
        ("python", "work.py", "import json", "work.json"),
        ("python", "work.py", "", "none"),
    ],
)
def test_single_file_that_leaves_it_open(
    tmp_path: Path, language: Language, name: str, text: str, there: str
) -> None:
    """Several functions or none, and no usual name: all exports are told, functions first."""
    with pytest.raises(CallerError) as caught:
        choose_handler(write(tmp_path, {name: text}), language, None)
    expected = (
        f"{name}: cannot tell which export is the handler; there are: {there}",
        "name one: --handler",
    )
    assert expected == (caught.value.message, caught.value.mend)


@pytest.mark.parametrize(
    ("files", "existing"),
    [
        ({"a.js": JS.format("x"), "b.js": JS.format("y")}, "handlers that exist: a.x, b.y"),
        ({"a.js": "", "b.txt": JS.format("y")}, "no exports were found in it"),
    ],
)
def test_no_usual_one(tmp_path: Path, files: dict[str, str], existing: str) -> None:
    """A folder without a usual handler is refused with what was looked for and what there is."""
    with pytest.raises(CallerError) as caught:
        choose_handler(write(tmp_path, files), "nodejs", None)
    expected = (
        f"no handler found in given: looked for index.handler, app.lambda_handler, "
        f"lambda_function.lambda_handler, app.handler …; {existing}",
        "name one: --handler file.export",
    )
    assert expected == (caught.value.message, caught.value.mend)


@pytest.mark.parametrize(
    ("language", "files", "handler"),
    [
        ("nodejs", {"src/app.js": JS.format("run"), "b.js": ""}, "src/app.run"),
        ("nodejs", {"app.js": "exports.a = {b};", "b.js": ""}, "app.a.b"),
        ("nodejs", {"lib/index.js": JS.format("run"), "b.js": ""}, "lib.run"),
        ("nodejs", {"app.js": "module.exports = make();", "b.js": ""}, "app.whatever"),
        ("python", {"src/app.py": PY.format("run"), "b.py": ""}, "src.app.run"),
        ("python", {"src/app.py": PY.format("run"), "b.py": ""}, "src/app.run"),
    ],
)
def test_requested(tmp_path: Path, language: Language, files: dict[str, str], handler: str) -> None:
    """A handler that was asked for and exists, or may exist, is taken as it was written."""
    assert handler == choose_handler(write(tmp_path, files), language, handler)


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (
            "other.handler",
            "the handler other.handler needs a file other.js, which is not in given; "
            "handlers that exist: index.handler",
        ),
        ("index.hanlder", "index.js does not export hanlder; handlers that exist: index.handler"),
        ("index", "'index' is no handler; it has the form file.export, as in index.handler"),
        (
            "../index.handler",
            "'../index.handler' is no handler; it has the form file.export, as in index.handler",
        ),
    ],
)
def test_requested_in_vain(tmp_path: Path, handler: str, message: str) -> None:
    """A handler that cannot be is refused with those that exist."""
    package = write(tmp_path, {"index.js": JS.format("handler")})
    with pytest.raises(CallerError) as caught:
        choose_handler(package, "nodejs", handler)
    assert message.format(root=tmp_path) == caught.value.message


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (
            "index." + "x" * 123,
            "--handler is 129 characters long; Lambda takes at most 128",
        ),
        ("index.my handler", "--handler 'index.my handler' has white space, which Lambda refuses"),
        ("index.handler\n", "--handler 'index.handler\\n' has white space, which Lambda refuses"),
    ],
)
def test_against_lambdas_constraint(tmp_path: Path, handler: str, message: str) -> None:
    """What CreateFunction would refuse is refused (facts sheet H3), whatever the code holds."""
    package = write(tmp_path, {"index.js": "module.exports = make();"})
    with pytest.raises(CallerError) as caught:
        choose_handler(package, "nodejs", handler)
    assert message == caught.value.message


def test_functions_are_told(tmp_path: Path) -> None:
    """Of all files' exports the functions are handlers; imports and constants are named only where there is none."""
    package = write(tmp_path, {"a.py": "import os\ndef f(): ...", "b.py": "N = 1\ndef g(): ..."})
    with pytest.raises(CallerError) as caught:
        choose_handler(package, "python", "a.h")
    assert caught.value.message == ("a.py does not export h; handlers that exist: a.f, b.g")


@pytest.mark.parametrize(
    ("requested", "message"),
    [
        (
            None,
            "no handler found in {source}: looked for index.handler, app.lambda_handler, "
            "lambda_function.lambda_handler, app.handler …; no exports were found in it",
        ),
        (
            "index.handler",
            "the handler index.handler needs a file index.js, which is not in {source}; "
            "no exports were found in it",
        ),
    ],
)
def test_code_one_folder_down(tmp_path: Path, requested: str | None, message: str) -> None:
    """A zip that was made from outside of its folder is known for that."""
    source = tmp_path / "f.zip"
    source.touch()
    (tmp_path / "task/my-code").mkdir(parents=True)
    (tmp_path / "task/my-code/index.js").write_text(JS.format("handler"))
    with pytest.raises(CallerError) as caught:
        choose_handler(Package(tmp_path / "task", "f", None, source), "nodejs", requested)
    expected = (
        message.format(source=source),
        "the code lies in my-code/ of the zip: make the zip from inside that folder",
    )
    assert expected == (caught.value.message, caught.value.mend)


def test_unchecked(tmp_path: Path) -> None:
    """Without the check a wrong handler is the runtime's to complain of."""
    package = write(tmp_path, {"index.js": JS.format("handler")})
    assert choose_handler(package, "nodejs", "no.such", check=False) == "no.such"


@pytest.mark.parametrize(
    ("language", "handler", "parts"),
    [
        ("nodejs", "index.handler", ("index", "handler")),
        ("nodejs", "src/app.handler", ("src/app", "handler")),
        ("nodejs", "app.a.b", ("app", "a.b")),
        ("nodejs", "v1.2/app.handler", ("v1.2/app", "handler")),
        ("python", "app.handler", ("app", "handler")),
        ("python", "pkg.app.handler", ("pkg/app", "handler")),
        ("python", "pkg/app.handler", ("pkg/app", "handler")),
    ],
)
def test_split(language: Language, handler: str, parts: tuple[str, str]) -> None:
    """In Node the first dot of the base name splits, in Python the last of all (facts sheet H5, H6)."""
    assert parts == split_handler(language, handler)


@pytest.mark.parametrize("language", ["nodejs", "python"])
@pytest.mark.parametrize("handler", ["", "index", ".handler", "index.", "a..b", "..", "a/../b.c"])
def test_split_refuses(language: Language, handler: str) -> None:
    """Another form is refused in both languages."""
    with pytest.raises(CallerError) as caught:
        split_handler(language, handler)
    assert caught.value.message == (
        f"{handler!r} is no handler; it has the form file.export, as in index.handler"
    )


@given(st.lists(WORDS, min_size=1, max_size=3), WORDS, st.sampled_from(["nodejs", "python"]))
def test_split_round_trip(folders: list[str], name: str, language: Language) -> None:
    """Module and export that were joined with a dot come apart again."""
    module = "/".join(folders)
    assert (module, name) == split_handler(language, f"{module}.{name}")


def test_find_file(tmp_path: Path) -> None:
    """The endings are tried in the order of AWS's own loader, and a folder is no file."""
    (tmp_path / "a.mjs").touch()
    (tmp_path / "a.js").mkdir()
    (tmp_path / "a.cjs").touch()
    assert find_file(tmp_path, "nodejs", "a") == tmp_path / "a.mjs"
    assert find_file(tmp_path, "python", "a") is None


@pytest.mark.parametrize(
    ("language", "requested", "expected"),
    [
        ("provided", None, "bootstrap"),
        ("provided", "any thing", None),
        ("java", "a.B::c", "a.B::c"),
    ],
)
def test_what_is_not_read(
    tmp_path: Path, language: Language, requested: str | None, expected: str | None
) -> None:
    """A custom runtime's handler is its own affair, and of other languages nothing is read; AWS's form is still held."""
    package = Package(tmp_path, "f", None, Path("given"))
    if expected is not None:
        assert choose_handler(package, language, requested) == expected
        return
    with pytest.raises(CallerError, match="white space"):
        choose_handler(package, language, requested)


def test_a_handler_that_cannot_be_found(tmp_path: Path) -> None:
    """Of a language that nobody reads here the handler is asked for."""
    with pytest.raises(CallerError) as caught:
        choose_handler(Package(tmp_path, "f", None, Path("given")), "java", None)
    assert caught.value.message == (
        "given: which of it is the handler? Plimsoll does not read java code"
    )
