"""Copies of the host's libraries beside a runtime, found by the host's own loader."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot
from plimsoll.runtimes import system_files as module
from plimsoll.runtimes.system_files import are_current, copy_system_files, system_files

if TYPE_CHECKING:
    from collections.abc import Callable

LOADER = module._LOADERS.get(platform.machine(), "")
NEEDS_GLIBC = pytest.mark.skipif(
    not os.path.exists(LOADER), reason="needs a host with the GNU C library"
)


def install(folder: Path, place: str = "lang/bin/x") -> Path:
    """A runtime whose only program is a copy of `true`."""
    program = folder / place
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(os.path.realpath("/bin/true"), program)
    return folder


def libraries() -> dict[str, str]:
    """What `true` maps on this host: the name it asks by, and the file that this is."""
    done = subprocess.run(
        [LOADER, "--list", "/bin/true"], capture_output=True, text=True, check=True
    )
    words = [word for word in done.stdout.split() if word.startswith("/")]
    return {os.path.basename(word): os.path.realpath(word) for word in words}


def below(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their path in it."""
    return {
        f"/{path.relative_to(folder)}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@NEEDS_GLIBC
def test_copies_stand_for_the_hosts_files(tmp_path: Path) -> None:
    """Each under its full path, and under the one that links lead to: a box shows the host's own links."""
    copy_system_files(install(tmp_path))
    expected = set(libraries().values())
    assert {path: Path(path).read_bytes() for path in expected} == below(tmp_path / "system")
    assert {"libc.so.6", os.path.basename(LOADER)} <= {*libraries(), os.path.basename(LOADER)}
    assert os.path.realpath(LOADER) in expected


@NEEDS_GLIBC
def test_copies_are_told_with_size_and_time(tmp_path: Path) -> None:
    """Those of the host's files, so that a change of either shows."""
    copy_system_files(install(tmp_path))
    status = {path: Path(path).stat() for path in libraries().values()}
    expected = {path: (s.st_size, s.st_mtime_ns) for path, s in status.items()}
    assert expected == system_files(tmp_path)
    assert are_current(tmp_path)


@NEEDS_GLIBC
@pytest.mark.parametrize(
    "place",
    [
        "lang/bin/x",
        "lang/lib/libx.so.1",
        "lang/lib/python3.12/lib-dynload/_x.cpython-312.so",
        "runtime/x.so",
    ],
)
def test_programs_and_extensions_are_asked(tmp_path: Path, place: str) -> None:
    """The language's program, its libraries and modules, and those of AWS's client."""
    copy_system_files(install(tmp_path, place))
    assert set(libraries().values()) == set(system_files(tmp_path))


@NEEDS_GLIBC
@pytest.mark.parametrize("place", ["lang/share/x", "runtime/deep/x.so", "x"])
def test_nothing_else_is(tmp_path: Path, place: str) -> None:
    """Only what every process of the runtime maps, or may map at its start."""
    copy_system_files(install(tmp_path, place))
    assert system_files(tmp_path) == {}


@NEEDS_GLIBC
def test_what_is_no_program_of_the_hosts_is_passed_over(tmp_path: Path) -> None:
    """Scripts, links, empty files, and what the loader cannot load: nothing is mapped for them."""
    folder = tmp_path / "lang/bin"
    folder.mkdir(parents=True)
    (folder / "script").write_text("#!/bin/sh\n")
    (folder / "empty").touch()
    (folder / "other").write_bytes(b"\x7fELF of another machine")
    (folder / "link").symlink_to("/bin/true")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "folder").mkdir()
    copy_system_files(tmp_path)
    assert system_files(tmp_path) == {}


@NEEDS_GLIBC
def test_its_own_libraries_are_not_copied(tmp_path: Path) -> None:
    """What lies in `lang/lib` is found there first, and is in the image anyway."""
    (install(tmp_path) / "lang/lib").mkdir()
    shutil.copy(libraries()["libc.so.6"], tmp_path / "lang/lib/libc.so.6")
    copy_system_files(tmp_path)
    copied = {os.path.basename(path) for path in system_files(tmp_path)}
    assert not any(name.startswith(("libc.", "libc-")) for name in copied)
    assert {path.name for path in (tmp_path / "lang/lib").iterdir()} == {"libc.so.6"}


@NEEDS_GLIBC
def test_a_library_that_no_box_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes where the loader looks first, under the name that it is asked for by."""
    monkeypatch.setattr(module, "_SHOWN", ("/nowhere/",))
    copy_system_files(install(tmp_path))
    assert system_files(tmp_path) == {}
    expected = {f"/{name}": Path(path).read_bytes() for name, path in libraries().items()}
    assert expected == below(tmp_path / "lang/lib")


@NEEDS_GLIBC
def test_each_time_anew(tmp_path: Path) -> None:
    """A copy that nothing maps any more does not stay beside those that belong together."""
    (install(tmp_path) / "system/usr/lib").mkdir(parents=True)
    (tmp_path / "system/usr/lib/libold.so").touch()
    copy_system_files(tmp_path)
    copy_system_files(tmp_path)
    assert set(libraries().values()) == set(system_files(tmp_path))


@NEEDS_GLIBC
def test_a_runtime_behind_a_link(tmp_path: Path) -> None:
    """A data folder may lie behind a symbolic link: its own libraries are its own all the same."""
    (install(tmp_path / "real") / "lang/lib").mkdir()
    shutil.copy(libraries()["libc.so.6"], tmp_path / "real/lang/lib/libc.so.6")
    (tmp_path / "link").symlink_to("real")
    copy_system_files(tmp_path / "link")
    assert are_current(tmp_path / "link")
    assert {path.name for path in (tmp_path / "real/lang/lib").iterdir()} == {"libc.so.6"}


@NEEDS_GLIBC
@pytest.mark.parametrize("name", ["two words", "colon:", "semi;colon"])
def test_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    """What the loader prints is read right, and its search path means this folder, whatever it is called."""
    (install(tmp_path / name) / "lang/lib").mkdir()
    shutil.copy(libraries()["libc.so.6"], tmp_path / name / "lang/lib/libc.so.6")
    copy_system_files(tmp_path / name)
    copied = {os.path.basename(path) for path in system_files(tmp_path / name)}
    assert not any(path.startswith(("libc.", "libc-")) for path in copied)


def test_a_host_without_the_gnu_c_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's clients and the language's packages are made for it: said before anything is copied."""
    monkeypatch.setattr(module, "_LOADERS", {})
    with pytest.raises(HostCannot) as caught:
        copy_system_files(install(tmp_path))
    expected = "this host has no GNU C library, for which the language runtimes are made"
    assert expected == caught.value.message


@pytest.mark.parametrize(
    ("change", "current"),
    [
        (lambda host: None, True),
        (lambda host: host.write_bytes(b"newer, and longer"), False),
        (lambda host: os.utime(host, (10**9, 10**9)), False),
        (lambda host: host.unlink(), False),
        (lambda host: host.rename(host.with_name("libx.so.2")), False),
    ],
    ids=["untouched", "updated", "another-time", "gone", "another-version"],
)
def test_are_current(tmp_path: Path, change: Callable[[Path], object], current: bool) -> None:
    """Copies stand for the host's files until one of those is another one, or none."""
    host = tmp_path / "host/libx.so.1"
    copy = tmp_path / "runtime/system" / host.relative_to("/")
    for path in (host, copy):
        path.parent.mkdir(parents=True)
    host.write_bytes(b"library")
    shutil.copy2(host, copy)
    change(host)
    assert are_current(tmp_path / "runtime") is current


def test_without_copies_nothing_can_be_old(tmp_path: Path) -> None:
    """A runtime whose programs map nothing of the host's."""
    (tmp_path / "system").mkdir()
    assert (system_files(tmp_path), are_current(tmp_path)) == ({}, True)


def test_copies_that_were_never_finished_are_not_current(tmp_path: Path) -> None:
    """Whoever was killed in the middle has left no `system` behind, and it is made again."""
    assert not are_current(tmp_path)
