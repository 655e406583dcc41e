"""What PATH names becomes the folder that is /var/task."""

from __future__ import annotations

import os
import socket
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.deployment import Package, resolve
from plimsoll.deployment.package import one_folder_down
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Callable


def refusal(path: Path) -> tuple[str, str | None]:
    """What `resolve` says against a path, and what mends it."""
    with pytest.raises(CallerError) as caught:
        resolve(path, path.parent / "staging")
    return caught.value.message, caught.value.mend


def test_folder(tmp_path: Path) -> None:
    """A folder is used where it is, under its own name."""
    folder = tmp_path / "my-function"
    folder.mkdir()
    (folder / "index.js").touch()
    staging = tmp_path / "staging"
    assert Package(folder, "my-function", None, folder) == resolve(folder, staging)
    assert not staging.exists()


@pytest.mark.parametrize("name", ["index.js", "index.mjs", "index.cjs", "app.py"])
def test_file(tmp_path: Path, name: str) -> None:
    """A handler's file is deployed alone, readable for the function, and named as the entry."""
    (tmp_path / name).write_text("code")
    (tmp_path / name).chmod(0o600)
    (tmp_path / "secret.txt").touch()
    package = resolve(tmp_path / name, tmp_path / "staging")
    folder = tmp_path.name
    expected = Package(tmp_path / f"staging/task-{folder}", folder, name, tmp_path / name)
    assert expected == package
    assert [path.name for path in package.root.iterdir()] == [name]
    assert (package.root / name).read_text() == "code"
    assert (package.root / name).stat().st_mode & 0o044 == 0o044


def test_zip(tmp_path: Path) -> None:
    """A zip is unpacked, and its folders let the function's user in."""
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as opened:
        folder = zipfile.ZipInfo("lib/")
        folder.external_attr = 0o700 << 16
        opened.writestr(folder, "")
        opened.writestr("lib/x.js", "x")
        file = zipfile.ZipInfo("index.js")
        file.external_attr = 0o644 << 16
        opened.writestr(file, "code")
    package = resolve(tmp_path / "f.zip", tmp_path / "staging")
    assert Package(tmp_path / "staging/task-f", "f", None, tmp_path / "f.zip") == package
    assert (package.root / "index.js").read_text() == "code"
    modes = [(package.root / name).stat().st_mode & 0o777 for name in ("", "lib")]
    assert modes == [0o755, 0o755]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("orders/index.js", "orders"),
        ("orders/lambda_function.py", "orders"),
        ("orders/charge.js", "charge"),
        ("my.func.js", "my-func"),
        ("über uns.py", "-ber-uns"),
        ("a_b-C9.js", "a_b-C9"),
        ("x" * 80 + ".js", "x" * 64),
    ],
)
def test_function_name(tmp_path: Path, name: str, function: str) -> None:
    """The default name is the file's, or its folder's where the file's says nothing, in AWS's alphabet and length."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert function == resolve(tmp_path / name, tmp_path / "staging").name


def test_missing(tmp_path: Path) -> None:
    """A path that is not there is told with what a path may be."""
    assert refusal(tmp_path / "no.js") == (
        f"{tmp_path}/no.js: No such file or directory; PATH is a handler's file, a custom runtime's bootstrap, a folder, or a zip",
        None,
    )


def make_socket(path: Path) -> None:
    """A bound socket's name, which outlives the socket."""
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, make_socket], ids=["fifo", "socket"])
@pytest.mark.parametrize("name", ["index.js", "f.zip"])
def test_special_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], name: str
) -> None:
    """A fifo or a socket is refused and not waited for, whatever its name is."""
    monkeypatch.chdir(tmp_path)  # a socket's name is at most 107 bytes
    make(Path(name))
    assert refusal(Path(name)) == (
        f"{name} is neither a file nor a folder; PATH is a handler's file, a custom runtime's bootstrap, a folder, or a zip",
        None,
    )


def test_a_device() -> None:
    """A device is refused likewise."""
    assert refusal(Path("/dev/null"))[0].startswith("/dev/null is neither a file nor a folder; ")


@pytest.mark.parametrize(
    ("files", "mend"),
    [
        (["my/app.py"], "the code lies in my/: give {source}/my as PATH"),
        (["my/index.mjs", "readme.md"], "the code lies in my/: give {source}/my as PATH"),
        (
            ["my/index.js", "__MACOSX/my/._index.js"],
            "the code lies in my/: give {source}/my as PATH",
        ),
        (["my/app.py", "top.py"], None),
        (["my/app.py", "other/app.py"], None),
        (["my/deep/app.py"], None),
        (["readme.md"], None),
    ],
)
def test_one_folder_down(tmp_path: Path, files: list[str], mend: str | None) -> None:
    """Said only where the top holds no code and exactly one folder right below it does."""
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "fifo.js")  # neither code nor a folder
    found = one_folder_down(Package(tmp_path, "f", None, tmp_path))
    assert (mend and mend.format(source=tmp_path)) == found


def test_empty_folder(tmp_path: Path) -> None:
    """An empty folder has no code."""
    (tmp_path / "f").mkdir()
    assert refusal(tmp_path / "f") == (f"{tmp_path}/f is empty: there is no code to run", None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "index.ts",
            "unknown kind of file; a handler's file ends in .js, .mjs, .cjs, .py, a custom runtime is called "
            "bootstrap, a package ends in .zip",
        ),
    ],
)
def test_unknown_kind(tmp_path: Path, name: str, message: str) -> None:
    """A file that no runtime here takes is refused with those that some does."""
    (tmp_path / name).touch()
    assert refusal(tmp_path / name) == (f"{tmp_path / name}: {message}", None)


@pytest.mark.parametrize(("inner", "mode"), [("index.js", 0o600), ("lib", 0o700), (".", 0o754)])
def test_unreadable(tmp_path: Path, inner: str, mode: int) -> None:
    """What the function's unprivileged user could not read, on AWS neither, is refused before it starts."""
    folder = tmp_path / "f"
    (folder / "lib").mkdir(parents=True)
    (folder / "index.js").touch()
    (folder / inner).chmod(mode)
    assert refusal(folder) == (
        f"{folder / inner} cannot be read by the function's user (mode {mode:04o}); so it is on AWS",
        f"chmod -R o+rX {folder}",
    )


def test_unreadable_in_a_zip(tmp_path: Path) -> None:
    """A zip's files keep the modes that they came with; the mend is in the folder that it was made from."""
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as opened:
        file = zipfile.ZipInfo("index.js")
        file.external_attr = 0o600 << 16
        opened.writestr(file, "code")
    assert refusal(tmp_path / "f.zip") == (
        f"{tmp_path}/f.zip: index.js cannot be read by the function's user (mode 0600); so it is on AWS",
        "chmod -R o+rX . in its folder, and make the zip anew",
    )


def test_a_dangling_link_is_no_obstacle(tmp_path: Path) -> None:
    """A link in the code is not followed when the folder is looked over."""
    (tmp_path / "f").mkdir()
    (tmp_path / "f/gone").symlink_to("nowhere")
    assert resolve(tmp_path / "f", tmp_path / "staging").root == tmp_path / "f"


@pytest.mark.parametrize(("mode", "copied"), [(0o700, 0o755), (0o755, 0o755), (0o644, 0o644)])
def test_a_bootstrap_alone(tmp_path: Path, mode: int, copied: int) -> None:
    """A custom runtime's file is a package; one that was not made executable does not become so."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/bootstrap").write_bytes(b"program")
    (tmp_path / "mine/bootstrap").chmod(mode)
    package = resolve(tmp_path / "mine/bootstrap", tmp_path / "staging")
    assert (package.name, package.entry) == ("mine", "bootstrap")
    assert (package.root / "bootstrap").read_bytes() == b"program"
    assert (package.root / "bootstrap").stat().st_mode & 0o777 == copied
