"""Images that e2fsprogs makes, read back by its own debugfs; nothing is mounted."""

from __future__ import annotations

import math
import os
import stat
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot
from plimsoll.images import ext4, open_blank
from plimsoll.images.ext4 import BLOCK_BYTES, blank_blocks, make_image
from tests.unit.images.conftest import NEEDS_E2FSPROGS, debugfs, entries, is_sound

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20
TOO_LITTLE = "mke2fs failed for i: mke2fs: Could not allocate block in ext2 filesystem"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small package with all that a package may hold."""
    tree = tmp_path / "tree"
    (tree / "package/empty").mkdir(parents=True)
    (tree / "app.py").write_text("print('hello')\n")
    (tree / "package/a name with blanks").write_text("blanks\n")
    (tree / "package/lines").write_text("".join(f"{number}\n" for number in range(4000)))
    (tree / "package/run").write_text("#!/bin/sh\n")
    (tree / "package/run").chmod(0o751)
    (tree / "package/hard").hardlink_to(tree / "app.py")
    (tree / "short").symlink_to("package/lines")
    (tree / "long").symlink_to("x" * 200)
    (tree / "package/empty").chmod(0o700)
    return tree


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a shell script in the place of a program, and takes all others away."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(ext4, "_SYSTEM_PATH", "")

    def put(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return put


@NEEDS_E2FSPROGS
def test_what_was_packed_can_be_read(tree: Path, tmp_path: Path) -> None:
    """Every file's bytes, whatever its name and length."""
    make_image(tree, tmp_path / "image")
    for file in ("app.py", "package/a name with blanks", "package/lines", "package/hard"):
        assert (tree / file).read_text() == debugfs(tmp_path / "image", f'cat "/{file}"')
    assert is_sound(tmp_path / "image")


@NEEDS_E2FSPROGS
def test_it_holds_nothing_else(tree: Path, tmp_path: Path) -> None:
    """The package's names, and no `lost+found`: no function on AWS finds one."""
    make_image(tree, tmp_path / "image")
    for folder in (tree, tree / "package", tree / "package/empty"):
        inside = f"/{folder.relative_to(tree)}" if folder != tree else "/"
        found = entries(tmp_path / "image", inside)
        assert {path.name for path in folder.iterdir()} == set(found)


@NEEDS_E2FSPROGS
def test_modes_and_kinds_are_kept(tree: Path, tmp_path: Path) -> None:
    """What may be executed or looked into is so inside too; the root itself can be read by everybody."""
    make_image(tree, tmp_path / "image")
    for folder in ("", "package"):
        found = entries(tmp_path / "image", f"/{folder}")
        expected = {path.name: path.lstat().st_mode for path in (tree / folder).iterdir()}
        assert expected == {name: mode for name, (_, mode) in found.items()}
    assert "Mode:  0755" in debugfs(tmp_path / "image", "stat /")


@NEEDS_E2FSPROGS
def test_links_are_kept(tree: Path, tmp_path: Path) -> None:
    """Two names of one file are one file, and a symbolic link leads where it led, however far."""
    make_image(tree, tmp_path / "image")
    root, package = entries(tmp_path / "image"), entries(tmp_path / "image", "/package")
    assert root["app.py"] == package["hard"]
    assert 'Fast link dest: "package/lines"' in debugfs(tmp_path / "image", "stat /short")
    assert debugfs(tmp_path / "image", "cat /long").rstrip("\0") == "x" * 200


@NEEDS_E2FSPROGS
def test_owner_and_time_are_kept(tree: Path, tmp_path: Path) -> None:
    """Python asks for a source's time to judge what it has compiled, so it goes along."""
    os.utime(tree / "app.py", (10**9, 10**9))
    make_image(tree, tmp_path / "image")
    told = debugfs(tmp_path / "image", "stat /app.py")
    assert f"mtime: 0x{10**9:08x}:" in told
    owner = [word for line in told.splitlines() if "User:" in line for word in line.split()]
    assert (owner[1], owner[3]) == (str(os.getuid()), str(os.getgid()))


@NEEDS_E2FSPROGS
def test_many_small_files_fit(tmp_path: Path) -> None:
    """3,000 files of one byte in 300 folders take more in blocks than in bytes."""
    for folder in range(300):
        (tmp_path / f"tree/{folder}").mkdir(parents=True)
        for file in range(10):
            (tmp_path / f"tree/{folder}/{file}").write_text("x")
    make_image(tmp_path / "tree", tmp_path / "image")
    assert is_sound(tmp_path / "image")
    assert entries(tmp_path / "image", "/299").keys() == set("0123456789")


@NEEDS_E2FSPROGS
def test_a_folder_of_many_names_fits(tmp_path: Path) -> None:
    """5,000 of them, without a byte in any."""
    (tmp_path / "tree").mkdir()
    for number in range(5000):
        (tmp_path / f"tree/module-{number}.js").touch()
    make_image(tmp_path / "tree", tmp_path / "image")
    assert is_sound(tmp_path / "image")
    assert entries(tmp_path / "image").keys() == {f"module-{n}.js" for n in range(5000)}


@NEEDS_E2FSPROGS
def test_an_empty_folder(tmp_path: Path) -> None:
    """A layer may hold nothing: so does its image."""
    (tmp_path / "tree").mkdir()
    make_image(tmp_path / "tree", tmp_path / "image")
    assert entries(tmp_path / "image") == {}


@NEEDS_E2FSPROGS
def test_little_is_to_spare(tree: Path, tmp_path: Path) -> None:
    """An image is a few percent larger than what it holds, and what is empty in it takes no room on the host."""
    (tree / "large").write_bytes(os.urandom(8 * MIB))
    make_image(tree, tmp_path / "image")
    status = (tmp_path / "image").stat()
    assert 8 * MIB < status.st_size < 8 * MIB * 1.2
    assert status.st_blocks * 512 < 8 * MIB * 1.05


@NEEDS_E2FSPROGS
def test_an_estimate_that_falls_short(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree that does not fit is packed anew with more room, and is whole then."""
    blocks = -(-8 * MIB // BLOCK_BYTES)
    (tree / "large").write_bytes(b"x" * 8 * MIB)
    monkeypatch.setattr(ext4, "_estimate", lambda tree: (blocks, 100))
    make_image(tree, tmp_path / "image")
    assert (tmp_path / "image").stat().st_size == blocks * 3 // 2 * BLOCK_BYTES
    assert is_sound(tmp_path / "image")
    assert "large" in entries(tmp_path / "image")


@pytest.mark.parametrize(
    ("message", "attempts"), [(TOO_LITTLE, 3), ("mke2fs failed for i: No space left on device", 1)]
)
def test_what_cannot_be_made_leaves_nothing(
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    message: str,
    attempts: int,
) -> None:
    """Too small an image is tried three times, a full disk once; the refusal is passed on."""
    sizes: list[int] = []

    def refuse(program: str, *arguments: str, cwd: Path | None = None) -> None:
        sizes.append((tmp_path / "image").stat().st_size)
        raise HostCannot(message)

    monkeypatch.setattr(ext4, "_run", refuse)
    with pytest.raises(HostCannot) as caught:
        make_image(tree, tmp_path / "image")
    assert (caught.value.message, len(sizes)) == (message, attempts)
    assert sizes == sorted(set(sizes))
    assert not (tmp_path / "image").exists()


def test_a_host_without_the_program(
    tree: Path, tmp_path: Path, programs: Callable[[str, str], None]
) -> None:
    """Which program is missing, what it is for, and how to get it."""
    with pytest.raises(HostCannot) as caught:
        make_image(tree, tmp_path / "image")
    assert (caught.value.message, caught.value.mend) == (
        "this host has no mke2fs, which makes file-system images",
        "apt-get install e2fsprogs",
    )
    assert not (tmp_path / "image").exists()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'mke2fs 1.47.0 (5-Feb-2023)' >&2", None),
        ("echo 'mke2fs: No space left on device' >&2; exit 1", "mke2fs: No space left on device"),
        ("echo 'mke2fs 1.47.0 (5-Feb-2023)' >&2; echo 'no such folder' >&2", "no such folder"),
        ("exit 8", ""),
    ],
    ids=["only-its-name", "fails", "fails-with-0", "fails-silently"],
)
def test_how_a_program_is_believed(
    programs: Callable[[str, str], None], script: str, message: str | None
) -> None:
    """It ends with 0 and says nothing but its name; debugfs ends with 0 also when it fails."""
    programs("mke2fs", script)
    if message is None:
        ext4._run("mke2fs", "image")
    else:
        with pytest.raises(HostCannot) as caught:
            ext4._run("mke2fs", "image")
        assert caught.value.message == f"mke2fs failed for image: {message}"


def test_programs_run_without_our_variables(
    tmp_path: Path, programs: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their words are read, so they are English, and nothing of the user's own bends what they do."""
    monkeypatch.setenv("MKE2FS_CONFIG", "/nowhere")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    programs("mke2fs", f'echo "$LC_ALL,$LANG,$MKE2FS_CONFIG" > {tmp_path}/told')
    ext4._run("mke2fs", "image")
    assert (tmp_path / "told").read_text() == "C,,\n"


@pytest.mark.parametrize(
    ("size_mib", "device_mib"), [(512, 550), (1024, 1092), (4096, 4250), (10_240, 10_502)]
)
def test_blank_blocks(size_mib: int, device_mib: int) -> None:
    """What the device of a `/tmp` measures: AWS's own for 512 MB, and with the same reckoning for all others."""
    assert device_mib == blank_blocks(size_mib) * BLOCK_BYTES // MIB


@NEEDS_E2FSPROGS
@pytest.mark.parametrize("size_mib", [512, 600, 967, 1024, 2048, 4097, 10_240])
def test_a_blank_has_room_for_what_was_asked(tmp_path: Path, size_mib: int) -> None:
    """What `df` will show as available is at least that, and little more."""
    blank = open_blank(tmp_path, size_mib)
    told = statistics_of(blank)
    os.close(blank)
    assert size_mib <= told["available"] < size_mib * 1.001 + 4


@NEEDS_E2FSPROGS
def test_a_blank_looks_as_on_aws(tmp_path: Path) -> None:
    """512 MB: 526M in size and 514M available, as `df -h` rounds it up (facts sheet C1)."""
    blank = open_blank(tmp_path, 512)
    told = statistics_of(blank)
    os.close(blank)
    assert (math.ceil(told["size"]), math.ceil(told["available"])) == (526, 514)


@NEEDS_E2FSPROGS
def test_a_blank_is_an_ext4_with_a_journal(tmp_path: Path) -> None:
    """As AWS's is; an image for reading has none."""
    blank = open_blank(tmp_path, 512)
    features = debugfs(blank, "stats -h")
    os.close(blank)
    assert {"has_journal", "extent"} <= set(features.split())
    (tmp_path / "tree").mkdir()
    make_image(tmp_path / "tree", tmp_path / "image")
    assert "has_journal" not in debugfs(tmp_path / "image", "stats -h")


@NEEDS_E2FSPROGS
@pytest.mark.parametrize("unnamed", [True, False], ids=["O_TMPFILE", "overlayfs"])
def test_a_blank_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unnamed: bool
) -> None:
    """Nothing of it stays, however its user ends; where the host cannot make such a file, its name goes at once."""
    if not unnamed:
        monkeypatch.setattr(os, "open", without_nameless(os.open))
    blank = open_blank(tmp_path / "images", 512)
    status = os.fstat(blank)
    assert (list((tmp_path / "images").iterdir()), status.st_nlink) == ([], 0)
    assert status.st_size == blank_blocks(512) * BLOCK_BYTES
    assert status.st_blocks * 512 < MIB
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert not os.get_inheritable(blank)
    os.close(blank)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Where it was to be, why not, and what to set."""
    (tmp_path / "file").touch()
    with pytest.raises(HostCannot) as caught:
        open_blank(tmp_path / "file/images", 512)
    assert (caught.value.message, caught.value.mend) == (
        f"no file for a /tmp on disk can be made in {tmp_path}/file/images: Not a directory",
        "set PLIMSOLL_HOME to a folder on a disk",
    )


def test_a_blank_that_fails_keeps_no_descriptor(
    tmp_path: Path, programs: Callable[[str, str], None]
) -> None:
    """A full disk is the program's own refusal, and the room is free again."""
    programs("mke2fs", "echo 'mke2fs: No space left on device while writing' >&2; exit 1")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(HostCannot, match="No space left on device"):
        open_blank(tmp_path, 512)
    assert len(os.listdir("/proc/self/fd")) == before


def without_nameless(real: Callable[..., int]) -> Callable[..., int]:
    """open(2) of a file system without O_TMPFILE."""

    def refusing(path: object, flags: int, *more: object, **named: object) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "Operation not supported")
        return real(path, flags, *more, **named)

    return refusing


def statistics_of(blank: int) -> dict[str, float]:
    """Size and available room in MiB, as the kernel reckons them for `statfs` (fs/ext4/super.c)."""
    lines = [line.partition(":") for line in debugfs(blank, "stats -h").splitlines()]
    told = {name.strip(): value.strip() for name, _, value in lines}
    blocks, overhead, free, root_only = (
        int(told[name])
        for name in ("Block count", "Overhead clusters", "Free blocks", "Reserved block count")
    )
    reserve = min(blocks // 50, 4096)
    return {
        "size": (blocks - overhead) * BLOCK_BYTES / MIB,
        "available": (free - root_only - reserve) * BLOCK_BYTES / MIB,
    }
