"""The root that boxes show, built in a plain folder with its mounts only written down."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from plimsoll.sandbox import syscalls, template

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Calls = list[tuple[object, ...]]
FORBIDDEN = ("etc/shadow", "etc/ssl/private", "home", "root", "srv", "usr/local/lib", "var/log")


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Calls]:
    """Builds the tree as a user without rights may: no mount, and no device node, is made."""
    calls: Calls = []

    def no_nodes(*_: object) -> None:
        raise PermissionError

    def run() -> Calls:
        template.build(str(tmp_path))
        return calls

    monkeypatch.setattr(syscalls, "mount", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(
        syscalls,
        "set_mount_attributes",
        lambda *arguments, **named: calls.append((*arguments, named)),
    )
    monkeypatch.setattr(os, "mknod", no_nodes)
    return run


def test_user_and_group_resolve_as_on_aws(tmp_path: Path, build: Callable[[], Calls]) -> None:
    """uid 993 and gid 990 have the name sbx_user1051, and nobody else is there but root."""
    build()
    passwd = [line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines()]
    group = [line.split(":") for line in (tmp_path / "etc/group").read_text().splitlines()]
    assert [(user[0], user[2], user[3]) for user in passwd] == [
        ("root", "0", "0"),
        ("sbx_user1051", "993", "990"),
    ]
    assert {len(user) for user in passwd} == {7}
    assert [(entry[0], entry[2]) for entry in group] == [("root", "0"), ("sbx_user1051", "990")]
    assert {len(entry) for entry in group} == {4}


def test_names_resolve_as_on_aws(tmp_path: Path, build: Callable[[], Calls]) -> None:
    """sandbox.localdomain is the Runtime API's name for itself; files come before the network."""
    build()
    hosts = (tmp_path / "etc/hosts").read_text().splitlines()
    assert hosts[0].split() == ["127.0.0.1", "localhost"]
    assert "sandbox.localdomain" in hosts[2].split()
    assert "hosts: files dns" in (tmp_path / "etc/nsswitch.conf").read_text().splitlines()


def test_written_files_can_be_read_by_the_boxes_user(
    tmp_path: Path, build: Callable[[], Calls]
) -> None:
    """World-readable and written by root alone, whatever the umask."""
    before = os.umask(0o077)
    try:
        build()
    finally:
        os.umask(before)
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in template.WRITTEN}
    assert modes == {0o644}


def test_nothing_of_the_host_but_what_is_named(tmp_path: Path, build: Callable[[], Calls]) -> None:
    """No secret of the host and no home: `/etc` holds the listed files, `/var` and `/usr/local` only mount points."""
    build()
    assert [name for name in FORBIDDEN if (tmp_path / name).exists()] == []
    listed = {*template.WRITTEN, *template.COPIED, *template.BOUND}
    found = {str(path.relative_to(tmp_path)) for path in (tmp_path / "etc").iterdir()}
    assert found <= {"/".join(name.split("/")[:2]) for name in listed}
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == ["lang", "runtime", "task"]


def test_every_mount_point_is_there_and_empty(tmp_path: Path, build: Callable[[], Calls]) -> None:
    """A box mounts over them later, when the tree is read-only."""
    build()
    assert [list((tmp_path / name).iterdir()) for name in template.MOUNT_POINTS] == [[]] * len(
        template.MOUNT_POINTS
    )


def test_what_is_bound_comes_from_the_same_place(
    tmp_path: Path, build: Callable[[], Calls]
) -> None:
    """A folder of the host shows under its own path; only system folders and the named ones of /etc do."""
    binds = [(str(call[0]), str(call[1])) for call in build() if call[3:4] == (syscalls.MS_BIND,)]
    assert binds
    assert [target for source, target in binds if target != f"{tmp_path}{source}"] == []
    allowed = {f"/usr/{name}" for name in template.SYSTEM_FOLDERS}
    allowed |= {f"/{name}" for name in (*template.SYSTEM_FOLDERS, *template.BOUND)}
    allowed |= {f"/dev/{name}" for name in template.DEVICES}
    assert {source for source, _ in binds} <= allowed


def test_without_the_right_to_make_nodes_the_hosts_are_shown(
    tmp_path: Path, build: Callable[[], Calls]
) -> None:
    """A container without CAP_MKNOD: each device is bound over an empty file."""
    bound = {str(call[0]) for call in build() if str(call[0]).startswith("/dev/")}
    assert bound == {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}
    assert (tmp_path / "dev/null").is_file()


def test_standard_streams_are_ones_own(tmp_path: Path, build: Callable[[], Calls]) -> None:
    """/dev/stdout and its like lead to the descriptors of whoever looks."""
    build()
    links = {
        name: os.readlink(tmp_path / "dev" / name) for name in ("fd", "stdin", "stdout", "stderr")
    }
    assert links == {
        "fd": "/proc/self/fd",
        "stdin": "/proc/self/fd/0",
        "stdout": "/proc/self/fd/1",
        "stderr": "/proc/self/fd/2",
    }


def test_the_tree_is_a_small_tmpfs_and_read_only_at_the_end(
    tmp_path: Path, build: Callable[[], Calls]
) -> None:
    """First its own file system, last the lock on all of it: nothing is written or mounted after that."""
    calls = build()
    assert calls[0][:3] == ("tmpfs", str(tmp_path), "tmpfs")
    read_only = syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID
    assert calls[-1] == (str(tmp_path), read_only, {"recursive": True})
