"""What makes two folders the same, and what does not."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import CallerError
from plimsoll.images import ImageStore, ext4
from plimsoll.images.digest import tree_digest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small package: files, a folder and a link."""
    return make(tmp_path / "tree")


def make(tree: Path) -> Path:
    """The same package each time."""
    (tree / "package/empty").mkdir(parents=True)
    (tree / "app.py").write_text("def handler(event, context): ...\n")
    (tree / "package/data").write_bytes(bytes(range(256)) * 5000)  # more than is read at once
    (tree / "package/link").symlink_to("data")
    return tree


def test_form(tree: Path) -> None:
    """64 hex digits, the same each time."""
    assert re.fullmatch("[0-9a-f]{64}", tree_digest(tree))
    assert tree_digest(tree) == tree_digest(tree)


def test_the_same_package_elsewhere(tree: Path, tmp_path: Path) -> None:
    """Unpacked anew, in another place and at another time: neither is part of it."""
    again = make(tmp_path / "elsewhere/again")
    for path in (again, *again.rglob("*")):
        os.utime(path, (10**9, 10**9), follow_symlinks=False)
    assert tree_digest(tree) == tree_digest(again)


def test_the_order_in_which_it_was_made_is_no_part_of_it(tmp_path: Path) -> None:
    """A folder's own order of names differs from one file system to the next."""
    names = [f"{letter}{number}" for letter in "zab" for number in range(40)]
    for folder, order in (("one", names), ("other", names[::-1])):
        for name in order:
            (tmp_path / folder / name).mkdir(parents=True)
            (tmp_path / folder / name / "file").write_text(name)
    assert tree_digest(tmp_path / "one") == tree_digest(tmp_path / "other")


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "app.py").write_text("def handler(event, context): pass\n"),
        lambda tree: (tree / "package/data").write_bytes(bytes(range(256)) * 4999 + bytes(256)),
        lambda tree: (tree / "app.py").rename(tree / "main.py"),
        lambda tree: (tree / "app.py").chmod(0o755),
        lambda tree: (tree / "package").chmod(0o700),
        lambda tree: (tree / "package/empty").rmdir(),
        lambda tree: (tree / "package/empty").rename(tree / "empty"),
        lambda tree: (tree / "new").touch(),
        lambda tree: (tree / "package/link").rename(tree / "link"),
        lambda tree: (
            (tree / "package/link").unlink(),
            (tree / "package/link").symlink_to("../app.py"),
        ),
        lambda tree: ((tree / "package/empty").rmdir(), (tree / "package/empty").touch()),
    ],
    ids=[
        *("text", "last-bytes", "name", "mode", "mode-of-folder", "folder-gone", "folder-moved"),
        *("new-file", "link-moved", "link-leads-elsewhere", "kind"),
    ],
)
def test_everything_that_a_function_can_see_counts(
    tree: Path, change: Callable[[Path], object]
) -> None:
    """Names, kinds, modes, links and bytes."""
    before = tree_digest(tree)
    change(tree)
    assert tree_digest(tree) != before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
@pytest.mark.parametrize("owner", [(993, -1), (-1, 990)])
def test_the_owner_counts(tree: Path, owner: tuple[int, int]) -> None:
    """User and group are kept in an image, so they make another one."""
    before = tree_digest(tree)
    os.chown(tree / "app.py", *owner)
    assert tree_digest(tree) != before


def test_bytes_cannot_pass_for_names(tmp_path: Path) -> None:
    """A file that holds what would follow it is not the two files."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    (other / "a").write_bytes(b"x")
    (other / "b").write_bytes(b"y")
    status = (other / "b").lstat()
    head = repr(("b", status.st_mode, status.st_uid, status.st_gid)).encode()
    (one / "a").write_bytes(b"x" + head + b"1\0y")
    assert tree_digest(one) != tree_digest(other)


def test_names_of_any_bytes(tmp_path: Path) -> None:
    """What is not UTF-8, and what leads nowhere, has a digest all the same."""
    folder = os.fsencode(tmp_path)
    for name in (b"\xff", b"\xfe"):
        with open(folder + b"/" + name, "wb"):
            pass
    os.symlink(b"\xfd", folder + b"/link")
    before = tree_digest(tmp_path)
    os.rename(folder + b"/\xff", folder + b"/\xfa")
    assert tree_digest(tmp_path) != before


def test_a_pipe_is_not_waited_for(tree: Path) -> None:
    """What is neither file nor folder nor link counts by name and kind, and is not opened."""
    before = tree_digest(tree)
    os.mkfifo(tree / "pipe")
    assert tree_digest(tree) != before


def test_a_link_to_a_folder_is_not_followed(tree: Path, tmp_path: Path) -> None:
    """What lies behind it is not in the package."""
    (tmp_path / "outside").mkdir()
    (tree / "out").symlink_to(tmp_path / "outside")
    before = tree_digest(tree)
    (tmp_path / "outside/new").touch()
    assert tree_digest(tree) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become nobody")
@pytest.mark.parametrize("name", ["app.py", "package"])
def test_what_cannot_be_read_is_an_error(name: str) -> None:
    """Never a digest of the rest: two packages would be the same that are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        tree = make(Path(folder) / "tree")
        (tree / name).chmod(0)
        os.seteuid(65534)
        try:
            with pytest.raises(PermissionError, match=name):
                tree_digest(tree)
        finally:
            os.seteuid(0)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Its digest is not that of an empty one."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        tree_digest(tmp_path / "nowhere")


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    """The store of a new data folder."""
    return ImageStore(tmp_path / "data")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A package of one file."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code/app.py").write_text("1")
    return tmp_path / "code"


def test_code_that_changes_while_it_is_packed_is_not_kept_under_a_wrong_name(
    images: ImageStore, monkeypatch: pytest.MonkeyPatch, code: Path
) -> None:
    """Saved, run, saved again: the image is named after what it holds, and what was before is made anew later."""
    versions = iter([b"B"])
    file = code / "app.py"
    file.write_bytes(b"A")
    before = tree_digest(code)

    def make(tree: Path, image: Path) -> None:
        file.write_bytes(next(versions, file.read_bytes()))
        image.write_bytes(file.read_bytes())

    monkeypatch.setattr(ext4, "make_image", make)
    image = images.of_code(code)
    assert image.read_bytes() == b"B"
    assert before[:32] not in image.name
    assert [path.name for path in images.folder.glob("*.img")] == [image.name]


def test_code_that_never_stands_still_is_refused(
    images: ImageStore, monkeypatch: pytest.MonkeyPatch, code: Path
) -> None:
    """Three times, then it is said, and nothing is left."""
    tries: list[Path] = []

    def make(tree: Path, image: Path) -> None:
        tries.append(image)
        (tree / "log").write_text("x" * len(tries))
        image.touch()

    monkeypatch.setattr(ext4, "make_image", make)
    with pytest.raises(CallerError, match="is being changed while an image is made of it"):
        images.of_code(code)
    assert (len(tries), [*images.folder.glob("*.img"), *images.folder.glob(".*.making")]) == (3, [])


def test_what_a_killed_builder_left_is_swept_by_the_next(
    images: ImageStore, monkeypatch: pytest.MonkeyPatch, code: Path
) -> None:
    """Whoever makes an image holds the lock: any other that is being made has a dead maker."""
    images.folder.mkdir(parents=True, exist_ok=True)
    left = images.folder / ".code-dead.img.making"
    left.write_bytes(b"half")
    monkeypatch.setattr(ext4, "make_image", lambda tree, image: image.touch())
    images.of_code(code)
    assert not left.exists()


def test_an_image_is_on_the_disk_before_it_has_its_name(
    images: ImageStore, monkeypatch: pytest.MonkeyPatch, code: Path
) -> None:
    """After a power cut a seal must not stand over bytes that were never written."""
    named_when_flushed: list[bool] = []

    def fsync(descriptor: int) -> None:
        named_when_flushed.append(any(images.folder.glob("*.img")))

    monkeypatch.setattr(ext4, "make_image", lambda tree, image: image.touch())
    monkeypatch.setattr(os, "fsync", fsync)
    images.of_code(code)
    assert named_when_flushed == [False]
