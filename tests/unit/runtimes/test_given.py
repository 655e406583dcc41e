"""Installing from what the user names; AWS's client is not fetched here."""

from __future__ import annotations

import os
import platform
import shutil
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import CallerError
from plimsoll.runtimes import given, nodejs, python
from plimsoll.runtimes.recipe import recipe
from tests.unit.runtimes.test_rooted import elf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plimsoll.runtimes.runtime import Manifest

    Make = Callable[..., Path]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which unpacks file systems")
PYTHON = elf() + b"..\x003.12.9\x00.."
NODE = elf() + b"/release/v20.20.2/node-v20.20.2-headers"
LIBRARIES = {"usr/lib/libstdc++.so.6": b"", "usr/lib/libgcc_s.so.1": b""}


@pytest.fixture(autouse=True)
def no_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that are a word."""
    monkeypatch.setattr(nodejs, "install_client", lambda name, *_: f"client for {name}")
    monkeypatch.setattr(python, "install_client", lambda name, *_: f"client for {name}")


@pytest.fixture
def source(tmp_path: Path) -> Make:
    """A folder of programs; one that ends in `-` nobody may execute."""

    def write(files: dict[str, bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / "source" / name.rstrip("-")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o644 if name.endswith("-") else 0o755)
        return tmp_path / "source"

    return write


def install(name: str, source: Path) -> tuple[Manifest, Path]:
    """The manifest, and what was made."""
    making = source.parent / "making"
    making.mkdir()
    return given.install(name, source, making, source.parent / "tools", lambda step: None), making


def refusal(name: str, source: Path) -> str:
    """What is said, without the source's name before it."""
    with pytest.raises(CallerError) as caught:
        install(name, source)
    assert caught.value.message.startswith(str(source))
    return caught.value.message.removeprefix(str(source)).lstrip(" :")


@pytest.mark.parametrize(
    ("name", "program", "content", "version"),
    [
        ("nodejs20.x", "bin/node", NODE, "20.20.2"),
        ("python3.12", "bin/python3.12", PYTHON, "3.12.9"),
        ("python3.12", "bin/python3.12", elf(), "3.12"),
    ],
)
def test_a_languages_folder(
    source: Make, name: str, program: str, content: bytes, version: str
) -> None:
    """It becomes /var/lang, with AWS's client beside it; its version is read from its program, which is not run."""
    folder = source({program: content, "lib/secret-": b""})
    (folder / "bin").chmod(0o700)
    manifest, making = install(name, folder)
    assert (manifest.version, manifest.origin) == (version, "folder")
    assert (manifest.client, manifest.recipe) == (f"client for {name}", recipe(name))
    assert (manifest.source, manifest.program) == (str(folder), "")
    assert sorted(path.name for path in making.iterdir()) == ["lang"]
    assert (making / "lang" / program).read_bytes() == content
    assert (making / "lang/bin").stat().st_mode & 0o777 == 0o755


def test_two_installs_of_one_folder_are_told_apart(source: Make) -> None:
    """The image is made by the manifest's text, and the folder may have changed in between."""
    folder = source({"bin/node": NODE})
    first, making = install("nodejs20.x", folder)
    shutil.rmtree(making)
    assert install("nodejs20.x", folder)[0] != first


@needs_root
def test_a_root_file_system(source: Make) -> None:
    """AWS's client is run by the program in its usual place, and the places of mounts are made."""
    files = {"usr/bin/python3.12": PYTHON, "usr/bin/python3.11": elf(), **LIBRARIES}
    manifest, making = install("python3.12", source(files))
    assert (manifest.version, manifest.origin) == ("3.12.9", "root")
    assert (manifest.client, manifest.program) == ("client for python3.12", "/usr/bin/python3.12")
    points = ("proc", "dev", "tmp", "opt", "var/task", "var/runtime")
    assert [point for point in points if not (making / "root" / point).is_dir()] == []
    assert (making / "root/etc/resolv.conf").read_bytes() == b""


@needs_root
@pytest.mark.parametrize("name", ["java21", "python3.12", "nodejs20.x"])
def test_a_bootstrap_of_its_own(source: Make, name: str) -> None:
    """It is what is run: no client of ours, no recipe, and for any language."""
    files = {"var/runtime/bootstrap": b"#!/bin/sh\n", "bin/sh": elf(), "var/lang/bin/node": NODE}
    files["var/lang/bin/python3.12"] = PYTHON
    manifest, _ = install(name, source(files))
    assert (manifest.client, manifest.recipe, manifest.program) == ("", "", "")


@needs_root
@pytest.mark.parametrize(
    ("name", "files", "said"),
    [
        ("nodejs20.x", {"usr/x": b""}, "has no usable program for nodejs20.x: looked for var/runtime/bootstrap, "
         "var/lang/bin/node, usr/local/bin/node, usr/bin/node, bin/node, var/lang/bin/nodejs, usr/local/bin/nodejs, "
         "usr/bin/nodejs, bin/nodejs"),
        ("python3.12", {"bin/python3.11": PYTHON},
         "has no usable program for python3.12: looked for bin/python3.12"),
        ("python3.12", {"bin/python3.12": elf(0x16)}, "has no usable program for python3.12: looked for bin/python3.12 "
         f"(bin/python3.12 is for machine 22, and this host is {platform.machine()})"),
        ("nodejs20.x", {"bin/node-": NODE}, "has no usable program for nodejs20.x: looked for bin/node, bin/nodejs "
         "(bin/node is not executable for everybody (mode 0644))"),
        ("nodejs22.x", {"bin/node": NODE}, "is no nodejs22.x: its bin/node is version 20.20.2"),
        ("java21", {"usr/bin/java": elf()}, "has no /var/runtime/bootstrap, without which java21 cannot be run"),
        ("java21", {"usr/x": b"", "var/runtime/bootstrap-": elf()},
         "cannot be run as java21: /var/runtime/bootstrap is not executable for everybody (mode 0644)"),
        ("python3.12", {"usr/x": b"", "var/runtime/bootstrap": elf(), "var/lang/bin/python3.11": elf()},
         "is no python3.12: it has python3.11 in /var/lang/bin"),
        ("python3.12", {"usr/bin/python3.12": PYTHON}, "has no libstdc++.so.6, which AWS's client for Python needs"),
        ("python3.12", {"usr/bin/python3.12": elf(loader=b"/lib/ld-musl-x86_64.so.1\0")},
         "its usr/bin/python3.12 is for the musl C library, and AWS's client for Python is not"),
        ("provided.al2023", {"bin/x": b""}, "is no root file system: it has no usr, var/lang or var/runtime"),
    ],
)  # fmt: skip
def test_what_cannot_be_run(source: Make, name: str, files: dict[str, bytes], said: str) -> None:
    """The refusal names what was looked for, and why what is there is not it."""
    assert refusal(name, source(files)) == said


def test_no_source(tmp_path: Path) -> None:
    """What is not there is told with what it could have been."""
    assert refusal("nodejs20.x", tmp_path / "gone") == (
        "No such file or directory; --from takes a folder, a tar, or an image in the OCI layout"
    )
