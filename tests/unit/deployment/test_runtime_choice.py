"""Which runtime: the one asked for, else the newest installed one that suits the code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plimsoll.deployment import Package, choose_runtime
from plimsoll.errors import CallerError

INSTALLED = ("nodejs22.x", "nodejs24.x", "nodejs20.x", "python3.9", "python3.13", "python3.11")
CALLBACK = "exports.handler = (event, context, callback) => callback(null, 1)"


def write(root: Path, *names: str, text: str = "") -> Package:
    """A package's folder with these files; one that ends in `/` is a folder."""
    for name in names:
        if name.endswith("/"):
            (root / name).mkdir()
        else:
            (root / name).write_text(text)
    return Package(root, "f", None, Path("given"))


@pytest.mark.parametrize(
    ("names", "runtime"),
    [
        (["index.js"], "nodejs24.x"),
        (["index.mjs"], "nodejs24.x"),
        (["index.cjs"], "nodejs24.x"),
        (["app.py"], "python3.13"),
        (["app.py", "index.js"], "nodejs24.x"),
        (["app.py", "chart.js/"], "python3.13"),
    ],
)
def test_newest_that_suits(tmp_path: Path, names: list[str], runtime: str) -> None:
    """By the files at the package's top; newest by number, not by letter."""
    assert runtime == choose_runtime(write(tmp_path, *names), None, INSTALLED)


@pytest.mark.parametrize("name", ["index.js", "index.mjs", "index.cjs"])
def test_callbacks_stay_below_24(tmp_path: Path, name: str) -> None:
    """Node 24 refuses callback handlers, so they run on the newest before it (facts sheet H5)."""
    package = write(tmp_path, name, text=CALLBACK)
    assert choose_runtime(package, None, INSTALLED) == "nodejs22.x"


def test_entry_alone_decides(tmp_path: Path) -> None:
    """Where PATH was a file, only that file is looked at."""
    write(tmp_path, "index.js", text=CALLBACK)
    write(tmp_path, "app.py")
    package = Package(tmp_path, "f", "app.py", Path("app.py"))
    assert choose_runtime(package, None, INSTALLED) == "python3.13"


@pytest.mark.parametrize(
    ("others", "mode", "runtime"),
    [
        ([], 0o755, "provided.al2023"),
        ([], 0o644, "provided.al2023"),
        (["index.js", "app.py"], 0o755, "provided.al2023"),
        (["app.py"], 0o644, "python3.13"),
    ],
)
def test_a_bootstrap(tmp_path: Path, others: list[str], mode: int, runtime: str) -> None:
    """A package with a program of that name is a custom runtime's, which needs no installation."""
    package = write(tmp_path, "bootstrap", *others)
    (tmp_path / "bootstrap").chmod(mode)
    assert runtime == choose_runtime(package, None, INSTALLED)


def test_requested(tmp_path: Path) -> None:
    """A requested one is taken as it is, installed or not: the store judges it."""
    assert choose_runtime(write(tmp_path, "app.py"), "java21", ()) == "java21"


@pytest.mark.parametrize(
    ("name", "text", "installed", "message", "mend"),
    [
        (
            "index.js",
            "",
            (),
            "no installed runtime runs this nodejs code; this host has: none",
            "plimsoll runtimes add nodejs20.x",
        ),
        (
            "index.js",
            CALLBACK,
            ("nodejs24.x", "python3.13"),
            "no installed runtime runs this nodejs code; this host has: nodejs24.x, python3.13",
            "plimsoll runtimes add nodejs20.x",
        ),
        (
            "app.py",
            "",
            ("nodejs24.x",),
            "no installed runtime runs this python code; this host has: nodejs24.x",
            f"plimsoll runtimes add python{sys.version_info[0]}.{sys.version_info[1]}",
        ),
        (
            "readme.md",
            "",
            INSTALLED,
            "given has neither JavaScript nor Python nor a bootstrap at its top: which runtime is it for?",
            "name it: --runtime nodejs20.x",
        ),
    ],
)
def test_nothing_suits(
    tmp_path: Path, name: str, text: str, installed: tuple[str, ...], message: str, mend: str | None
) -> None:
    """Where nothing installed suits, the refusal says what there is and what to add."""
    with pytest.raises(CallerError) as caught:
        choose_runtime(write(tmp_path, name, text=text), None, installed)
    assert (message, mend) == (caught.value.message, caught.value.mend)


@pytest.mark.parametrize(
    ("entry", "requested", "message", "mend"),
    [
        (
            "raise.py",
            "nodejs20.x",
            "code/raise.py is no file for nodejs20.x, which runs .js, .mjs, .cjs",
            "leave --runtime out, or name one of Python",
        ),
        (
            "index.mjs",
            "python3.12",
            "code/index.mjs is no file for python3.12, which runs .py",
            "leave --runtime out, or name one of Node.js",
        ),
    ],
)
def test_a_file_of_another_language(
    tmp_path: Path, entry: str, requested: str, message: str, mend: str
) -> None:
    """A single file that the requested runtime cannot run is refused before anything is started."""
    write(tmp_path, entry)
    with pytest.raises(CallerError) as caught:
        choose_runtime(Package(tmp_path, "f", entry, Path("code") / entry), requested, INSTALLED)
    assert (message, mend) == (caught.value.message, caught.value.mend)


def test_code_one_folder_down(tmp_path: Path) -> None:
    """Where the top holds nothing but a folder with code, that is said; a folder's mend is to name it."""
    (tmp_path / "my-code").mkdir()
    (tmp_path / "my-code/app.py").touch()
    with pytest.raises(CallerError) as caught:
        choose_runtime(Package(tmp_path, "f", None, tmp_path), None, INSTALLED)
    assert (caught.value.message, caught.value.mend) == (
        f"{tmp_path} has neither JavaScript nor Python nor a bootstrap at its top: which runtime is it for?",
        f"the code lies in my-code/: give {tmp_path}/my-code as PATH",
    )


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("app.lambda_handler", "python3.12"),
        ("index.handler", "nodejs22.x"),
        ("none.f", "nodejs22.x"),
    ],
)
def test_a_named_handler_decides_by_its_own_file(
    tmp_path: Path, handler: str, expected: str
) -> None:
    """A folder may hold both languages; where the file is missing, what is there decides as ever."""
    (tmp_path / "app.py").write_text("def lambda_handler(e, c): ...\n")
    (tmp_path / "index.mjs").write_text("export const handler = async () => null;\n")
    package = Package(tmp_path, "f", None, tmp_path)
    assert choose_runtime(package, None, ["python3.12", "nodejs22.x"], handler) == expected
