"""Unpacking by a process that is locked into its target."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from plimsoll.errors import CallerError, HostCannot
from plimsoll.runtimes.unpack import make_points, unpack, unpack_folder
from tests.archives import members_tar, zipped

if TYPE_CHECKING:
    from pathlib import Path

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which makes another root")
SYMLINK, HARD, FOLDER, FIFO, DEVICE = (
    {"type": kind}
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
)  # fmt: skip
WHITEOUT = ("d/.wh.a", b"")
OPAQUE = ("d/.wh..wh..opq", b"")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty folder."""
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def packed(folder: Path, *archives: bytes) -> list[Path]:
    """The archives as files."""
    files = []
    for number, content in enumerate(archives):
        files.append(folder / f"{number}.tar")
        files[-1].write_bytes(content)
    return files


def tree(target: Path) -> dict[str, Any]:
    """What was unpacked: the text of files, where links lead, None for folders."""
    found: dict[str, Any] = {}
    for path in sorted(target.rglob("*")):
        name = str(path.relative_to(target))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = None if path.is_dir() else path.read_text()
    return found


@needs_root
def test_all_that_a_file_system_has(tmp_path: Path, target: Path) -> None:
    """Files, folders, links of both kinds, owners, times and modes; no devices, no fifos, nothing set-user-id."""
    content = members_tar(
        ("usr", b"", {**FOLDER, "mode": 0o751, "uid": 7, "gid": 8}),
        ("usr/lib/x", b"text", {"mode": 0o4755, "uid": 993, "gid": 990, "mtime": 1_000_000}),
        ("lib", b"", {**SYMLINK, "linkname": "/usr/lib"}),
        ("lib/y", b"through the link"),
        ("same", b"", {**HARD, "linkname": "./usr/lib/x"}),
        ("dev/null", b"", {**DEVICE, "devmajor": 1, "devminor": 3}),
        ("run/fifo", b"", FIFO),
    )
    assert unpack(packed(tmp_path, content), target) == 2
    assert tree(target) == {
        "lib": "-> /usr/lib",
        "same": "text",
        "usr": None,
        "usr/lib": None,
        "usr/lib/x": "text",
        "usr/lib/y": "through the link",
    }
    status = (target / "usr/lib/x").stat()
    assert stat.S_IMODE(status.st_mode) == 0o755
    assert (status.st_uid, status.st_gid, status.st_mtime) == (993, 990, 1_000_000)
    assert status.st_ino == (target / "same").stat().st_ino
    assert stat.S_IMODE((target / "usr").stat().st_mode) == 0o751


@needs_root
@pytest.mark.parametrize(
    ("upper", "expected"),
    [
        ([WHITEOUT], {"d": None, "d/b": "1", "e": "1"}),
        ([WHITEOUT, ("d/a", b"2")], {"d": None, "d/a": "2", "d/b": "1", "e": "1"}),
        ([OPAQUE, ("d/c", b"2")], {"d": None, "d/c": "2", "e": "1"}),
        ([("d/c", b"2"), OPAQUE], {"d": None, "d/c": "2", "e": "1"}),
        ([(".wh.d", b"")], {"e": "1"}),
        ([("d/.wh.gone", b""), (".wh..wh.plnk", b"")], {"d": None, "d/a": "1", "d/b": "1", "e": "1"}),
        ([("d", b"2")], {"d": "2", "e": "1"}),
        ([("e", b"", FOLDER), ("e/x", b"2")], {"d": None, "d/a": "1", "d/b": "1", "e": None, "e/x": "2"}),
        ([("d", b"", FOLDER)], {"d": None, "d/a": "1", "d/b": "1", "e": "1"}),
        ([("e", b"", {**SYMLINK, "linkname": "d"})], {"d": None, "d/a": "1", "d/b": "1", "e": "-> d"}),
    ],
)  # fmt: skip
def test_layers(tmp_path: Path, target: Path, upper: list[Any], expected: dict[str, Any]) -> None:
    """An upper layer takes away by whiteouts, replaces what has its names, and merges folders."""
    lower = members_tar(("d/a", b"1"), ("d/b", b"1"), ("e", b"1"))
    layers = packed(tmp_path, lower, zipped(members_tar(*upper)))
    unpack(layers, target, layers_of_image=tmp_path)
    assert tree(target) == expected


@needs_root
def test_whiteouts_are_files_elsewhere(tmp_path: Path, target: Path) -> None:
    """In a tar that is no layer the names mean nothing."""
    unpack(packed(tmp_path, members_tar(("d/a", b"1"), WHITEOUT)), target)
    assert tree(target) == {"d": None, "d/a": "1", "d/.wh.a": ""}


@needs_root
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no tar"),
        (b"no tar at all", "it is no tar"),
        (b"x" * 2000, "it is no tar"),
        (members_tar(("a", b"x" * 2000))[:1500], "it is broken: unexpected end of data"),
        (members_tar(("a", b"x"))[:1024], "it is cut short"),
        (members_tar(("a", b"x"))[:1024] + b"x" * 2000, "it is broken: "),
        (zipped(members_tar(("a", b"x" * 90_000)))[:-20], "it is broken: Compressed file ended before the end-of-stream marker was reached"),
        (zipped(members_tar(("a", b"x")))[:-8] + bytes(8), "it is broken: CRC check failed"),
        (members_tar(("../a", b"")), "its member '../a' leads out of it"),
        (members_tar(("a/../../b", b"")), "its member 'a/../../b' leads out of it"),
        (members_tar(("a", b"", {**HARD, "linkname": "../../etc/passwd"})), "its member '../../etc/passwd' leads out of it"),
        (members_tar(("a", b"", {**HARD, "linkname": "gone"})), "a: No such file or directory"),
        (members_tar(("a", b""), ("a/b", b"")), "a/b: "),
        (members_tar(("x" * 300, b"")), f"{'x' * 300}: File name too long"),
    ],
)  # fmt: skip
def test_broken_archives(tmp_path: Path, target: Path, content: bytes, reason: str) -> None:
    """Each is named with what is wrong with it, however it was cut."""
    (archive,) = packed(tmp_path, content)
    with pytest.raises(CallerError) as caught:
        unpack([archive], target)
    said = caught.value.message
    assert said.startswith(f"{archive} cannot be unpacked: {reason}")


@needs_root
def test_a_layer_is_named_by_its_number(tmp_path: Path, target: Path) -> None:
    """Its file's name is a digest, which tells nobody anything."""
    layers = packed(tmp_path, members_tar(("a", b"")), b"cut")
    with pytest.raises(CallerError) as caught:
        unpack(layers, target, layers_of_image=tmp_path / "image.tar")
    assert caught.value.message == (
        f"{tmp_path}/image.tar: its layer 2 cannot be unpacked: it is no tar"
    )


@needs_root
def test_a_tar_larger_than_an_image_may_be(tmp_path: Path, target: Path) -> None:
    """A few bytes that claim to be more than 10 GiB are believed, and refused before anything is written."""
    member = tarfile.TarInfo("a")
    member.size = 11 << 30
    with pytest.raises(CallerError, match="it is larger than 10 GiB, more than AWS takes"):
        unpack(packed(tmp_path, member.tobuf()), target)
    assert tree(target) == {}


@needs_root
def test_a_folder(tmp_path: Path, target: Path) -> None:
    """Copied with owners and links, those that dangle or lead far away as they are."""
    source = tmp_path / "source"
    (source / "usr").mkdir(parents=True)
    (source / "usr/x").write_text("text")
    os.chown(source / "usr/x", 993, 990)
    (source / "far").symlink_to("/etc/passwd")
    os.mkfifo(source / "fifo")
    assert unpack_folder(source, target) == 1
    assert tree(target) == {"far": "-> /etc/passwd", "usr": None, "usr/x": "text"}
    assert (target / "usr/x").stat().st_uid == 993


@needs_root
def test_points(tmp_path: Path, target: Path) -> None:
    """What is mounted on is a real folder or file: links are replaced, and what is right is left alone."""
    for folder in ("etc", "var/task", "other"):
        (target / folder).mkdir(parents=True)
    (target / "tmp").symlink_to("/other")
    (target / "var/task/kept").touch()
    (target / "etc/hosts").symlink_to("../other/hosts")
    make_points(target, ["/tmp", "/var/task", "/a/b"], ["/etc/hosts"], tmp_path)
    assert tree(target) == {
        **dict.fromkeys(("a", "a/b", "etc", "other", "tmp", "var", "var/task")),
        "etc/hosts": "",
        "var/task/kept": "",
    }


@needs_root
def test_points_below_a_link(tmp_path: Path, target: Path) -> None:
    """A mount would land wherever it leads."""
    (target / "var").symlink_to(tmp_path)
    with pytest.raises(CallerError) as caught:
        make_points(target, ["/var/task"], [], tmp_path / "image.tar")
    assert caught.value.message == (
        f"{tmp_path}/image.tar cannot be unpacked: /var is no folder, and /var/task must lie in it"
    )
    assert not (tmp_path / "task").exists()


def test_without_root(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it needs root, and why."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (archive,) = packed(tmp_path, io.BytesIO().getvalue())
    with pytest.raises(HostCannot) as caught:
        unpack([archive], target)
    assert (caught.value.message, caught.value.mend) == (
        "a root file system is unpacked with its owners, by a process locked into it: that needs root",
        "run plimsoll as root (sudo)",
    )


def test_what_cannot_be_read(target: Path, tmp_path: Path) -> None:
    """Named with its reason."""
    with pytest.raises(CallerError) as caught:
        unpack([tmp_path / "gone"], target)
    assert caught.value.message == f"{tmp_path}/gone cannot be read: No such file or directory"
