"""Images by what they hold: made once, believed while nobody touched them, removed when nobody needs them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot
from plimsoll.images import ImageStore, Pruned, ext4
from plimsoll.images import store as module
from plimsoll.images.digest import tree_digest
from plimsoll.images.store import KEPT_S
from tests.unit.images.conftest import NEEDS_E2FSPROGS, debugfs

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = 65534


class Maker:
    """In the place of e2fsprogs: an image is the names of its folder, and the calls are counted."""

    def __init__(self) -> None:
        self.made: list[Path] = []

    def __call__(self, tree: Path, image: Path) -> None:
        """As `ext4.make_image`."""
        self.made.append(image)
        names = sorted(path.name for path in tree.iterdir())
        image.write_text("".join(f"{name}\n" for name in names) * 1000)


class Reader:
    """In the place of the checksum: the same, and what was read through is counted."""

    def __init__(self, real: Callable[[Path], str]) -> None:
        self._real = real
        self.read: list[str] = []

    def __call__(self, path: Path) -> str:
        """As `store._sha256`."""
        self.read.append(path.name)
        return self._real(path)


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Maker:
    """No image is made by e2fsprogs."""
    maker = Maker()
    monkeypatch.setattr(ext4, "make_image", maker)
    return maker


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Tells which images were read through."""
    reader = Reader(module._sha256)
    monkeypatch.setattr(module, "_sha256", reader)
    return reader


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    """The store of a new data folder."""
    return ImageStore(tmp_path / "data")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A function's folder."""
    return folder(tmp_path / "code", "app.py")


def folder(path: Path, *names: str) -> Path:
    """A folder of such files."""
    path.mkdir()
    for name in names:
        (path / name).write_text(name)
    return path


def seal(image: Path) -> Path:
    """The file beside an image that tells what it was."""
    return image.with_suffix(".json")


def forgotten(image: Path, seconds: float) -> None:
    """Lets an image have been asked for so long ago."""
    then = time.time() - seconds
    os.utime(seal(image), (then, then))


def in_store(images: ImageStore) -> set[str]:
    """All names in the store's folder, but the lock's."""
    return {path.name for path in images.folder.iterdir()} - {".lock"}


@NEEDS_E2FSPROGS
def test_an_image_holds_the_folder(images: ImageStore, code: Path) -> None:
    """Made for real: what is in the folder is in the image."""
    assert debugfs(images.of_code(code), "cat /app.py") == "app.py"
    assert debugfs(images.of_runtime("a" * 64, code), "cat /app.py") == "app.py"


def test_the_same_content_is_made_once(
    images: ImageStore, maker: Maker, code: Path, tmp_path: Path
) -> None:
    """Two folders that hold the same share an image, also for the next Plimsoll; another content has another one."""
    first = images.of_code(code)
    shutil.copytree(code, tmp_path / "copy")
    assert ImageStore(tmp_path / "data").of_code(tmp_path / "copy") == first
    other = images.of_code(folder(tmp_path / "other", "index.js"))
    assert (len(maker.made), other == first) == (2, False)
    assert (first.read_text(), other.read_text()) == ("app.py\n" * 1000, "index.js\n" * 1000)


def test_an_image_is_named_for_what_it_holds(images: ImageStore, maker: Maker, code: Path) -> None:
    """Code by its digest, a runtime by its key: so a name never stands for two contents."""
    key = "0123456789abcdef" * 4
    paths = [images.of_code(code), images.of_runtime(key, code)]
    expected = [f"code-{tree_digest(code)[:32]}.img", f"runtime-{key[:32]}.img"]
    assert expected == [path.name for path in paths]
    assert {path.parent for path in paths} == {images.folder}


def test_a_runtimes_folder_is_not_read_for_its_name(
    images: ImageStore, maker: Maker, code: Path
) -> None:
    """Its key stands for the content: an image that is there is taken without a look at the folder."""
    image = images.of_runtime("k" * 64, code)
    shutil.rmtree(code)
    assert images.of_runtime("k" * 64, code) == image
    assert len(maker.made) == 1


def test_while_it_is_made_it_has_another_name(
    images: ImageStore, monkeypatch: pytest.MonkeyPatch, code: Path
) -> None:
    """Nobody ever finds half an image, and nothing but image and seal stays."""
    seen: list[set[str]] = []

    def make(tree: Path, image: Path) -> None:
        image.write_bytes(b"half")
        seen.append(in_store(images))
        image.write_bytes(b"whole")

    monkeypatch.setattr(ext4, "make_image", make)
    image = images.of_code(code)
    assert seen == [{f".{image.name}.making"}]
    assert in_store(images) == {image.name, seal(image).name}
    assert image.read_bytes() == b"whole"


def test_two_at_once_make_it_once(
    images: ImageStore, monkeypatch: pytest.MonkeyPatch, code: Path
) -> None:
    """The second one waits until the first one's image is there, and takes it."""
    both = threading.Barrier(2)
    made: list[Path] = []

    def digest_together(tree: Path) -> str:
        if not made:
            both.wait(timeout=30)  # neither has looked for the image before both are about to
        return tree_digest(tree)

    def make(tree: Path, image: Path) -> None:
        made.append(image)
        image.write_bytes(b"x")

    monkeypatch.setattr(module, "tree_digest", digest_together)
    monkeypatch.setattr(ext4, "make_image", make)
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(images.of_code, [code, code]))
    assert (len(made), len(set(found))) == (1, 1)


def test_what_takes_long_is_told(
    monkeypatch: pytest.MonkeyPatch, code: Path, tmp_path: Path
) -> None:
    """A sentence while it lasts, which names the folder; none for what is done in a moment."""
    told: list[str] = []
    heard = threading.Event()

    def hear(what: str) -> None:
        told.append(what)
        heard.set()

    def make(tree: Path, image: Path) -> None:
        heard.wait(timeout=30)
        heard.clear()
        image.write_bytes(b"x")

    monkeypatch.setattr(ext4, "make_image", make)
    monkeypatch.setattr(module, "_LONG_S", 0.0)
    images = ImageStore(tmp_path / "data", hear)
    images.of_code(code)
    images.of_runtime("a" * 64, code)
    assert told == [f"making an image of {code}", f"making an image of {code}, once"]
    monkeypatch.setattr(module, "_LONG_S", 60.0)
    images.of_code(code)
    assert len(told) == 2


def test_an_untouched_image_is_not_read_again(
    images: ImageStore, maker: Maker, reader: Reader, code: Path
) -> None:
    """Read through once when it was made, and then taken by size, inode and change time."""
    image = images.of_code(code)
    assert reader.read == [f".{image.name}.making"]
    images.of_code(code)
    ImageStore(images.folder.parent).of_code(code)
    assert len(reader.read) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda image: os.truncate(image, image.stat().st_size - 4096),
        lambda image: image.write_bytes(b""),
        lambda image: image.unlink(),
        lambda image: seal(image).unlink(),
        lambda image: seal(image).write_text(""),
        lambda image: seal(image).write_text("[1]"),
        lambda image: seal(image).write_text('{"sha256": "0"}'),
    ],
    ids=["cut-short", "emptied", "gone", "no-seal", "empty-seal", "list", "half-a-seal"],
)
def test_what_is_not_whole_is_made_anew(
    images: ImageStore, maker: Maker, code: Path, spoil: Callable[[Path], object]
) -> None:
    """A disk that was full, somebody who tidied up, a crash: the next one who asks gets a whole image."""
    image = images.of_code(code)
    whole = image.read_bytes()
    spoil(image)
    assert images.of_code(code) == image
    assert (image.read_bytes(), len(maker.made)) == (whole, 2)
    images.of_code(code)
    assert len(maker.made) == 2


def test_changed_bytes_are_found_though_the_time_was_put_back(
    images: ImageStore, maker: Maker, code: Path
) -> None:
    """Size and time of modification can be made to look untouched; the change time cannot."""
    image = images.of_code(code)
    whole, status = image.read_bytes(), image.stat()
    with image.open("r+b") as file:
        file.write(b"X")
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (image.stat().st_size, image.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    images.of_code(code)
    assert (image.read_bytes(), len(maker.made)) == (whole, 2)


def test_a_copied_store_is_read_through_and_kept(
    images: ImageStore, maker: Maker, reader: Reader, code: Path, tmp_path: Path
) -> None:
    """Restored from a backup, or moved to another disk: the checksum vouches for it, once."""
    image = images.of_code(code)
    shutil.copytree(tmp_path / "data", tmp_path / "moved")
    moved = ImageStore(tmp_path / "moved")
    reader.read.clear()
    assert moved.of_code(code) == moved.folder / image.name
    assert (len(maker.made), reader.read) == (1, [image.name])
    moved.of_code(code)
    assert reader.read == [image.name]


@pytest.mark.parametrize("name", ["sha256", "size_bytes", "inode", "changed_ns"])
def test_a_seal_tells_all_of_it(
    images: ImageStore, maker: Maker, reader: Reader, code: Path, name: str
) -> None:
    """One field that does not fit, and the image is read; one that only tells of the file does not condemn it."""
    image = images.of_code(code)
    reader.read.clear()
    told = json.loads(seal(image).read_text())
    told[name] = "0" * 64 if name == "sha256" else told[name] + 1
    seal(image).write_text(json.dumps(told))
    if name == "sha256":
        os.utime(image)  # touched: or its untouched state would vouch for it
    images.of_code(code)
    made_anew = name in {"sha256", "size_bytes"}
    assert len(maker.made) == (2 if made_anew else 1)
    assert (image.name in reader.read) is (name != "size_bytes")


def test_prune(images: ImageStore, maker: Maker, code: Path) -> None:
    """What no installed runtime needs is removed with its seal: code, other runtimes, what a killed maker left."""
    kept = images.of_runtime("a" * 64, code)
    gone = [images.of_code(code), images.of_runtime("b" * 64, code)]
    left_over = images.folder / ".code-0.img.making"
    left_over.write_bytes(b"x" * 8192)
    expected = [Pruned(path.name, path.stat().st_blocks * 512) for path in (*gone, left_over)]
    assert expected == images.prune(["a" * 64, "c" * 64])
    assert min(pruned.freed_bytes for pruned in expected) > 0
    assert in_store(images) == {kept.name, seal(kept).name}
    assert images.prune(["a" * 64]) == []


def test_the_room_that_a_runtimes_image_takes(images: ImageStore, maker: Maker, code: Path) -> None:
    """In blocks on the disk; removed by its key, with its seal, and nothing else with it."""
    assert (images.runtime_bytes("a" * 64), images.remove_runtime("a" * 64)) == (0, 0)
    image, other = (images.of_runtime(key * 64, code) for key in "ab")
    size = image.stat().st_blocks * 512
    assert images.runtime_bytes("a" * 64) == size > 0
    assert images.remove_runtime("a" * 64) == size
    assert in_store(images) == {other.name, seal(other).name}
    assert images.runtime_bytes("a" * 64) == 0


@pytest.mark.parametrize(
    "end",
    [
        lambda images, image: images.remove_runtime("a" * 64),
        lambda images, image: images.prune([]),
        lambda images, image: image.with_suffix(".touched").write_text('[["/x", [1]]]'),
        lambda images, image: image.with_suffix(".touched").write_text('[["/x"'),
    ],
    ids=["removed", "pruned", "of-another-kind", "half"],
)
def test_what_a_runtime_touches_is_kept_with_its_image(
    images: ImageStore, maker: Maker, code: Path, end: Callable[[ImageStore, Path], object]
) -> None:
    """For the next Plimsoll too, as long as the image is there; what cannot be read was never learned."""
    image = images.of_runtime("a" * 64, code)
    touched = (("/var/lang/bin/x", ((0, 8192), (65536, 4096))), ("/lib/c.so", ()))
    assert images.touched("a" * 64) is None
    images.keep_touched("a" * 64, touched)
    assert ImageStore(images.folder.parent).touched("a" * 64) == touched
    end(images, image)
    assert images.touched("a" * 64) is None


def test_prune_where_there_is_nothing(images: ImageStore) -> None:
    """A data folder without images is left as it is."""
    assert images.prune([]) == []
    assert not images.folder.exists()


def test_what_was_pruned_is_made_again(images: ImageStore, maker: Maker, code: Path) -> None:
    """Nothing is lost but time."""
    image = images.of_code(code)
    images.prune([])
    assert images.of_code(code) == image
    assert len(maker.made) == 2


def test_code_that_nobody_uses_is_forgotten(
    images: ImageStore, maker: Maker, code: Path, tmp_path: Path
) -> None:
    """When another image is made, those of code go that nobody asked for in seven days; runtimes stay."""
    old, recent = images.of_code(code), images.of_code(folder(tmp_path / "recent", "b"))
    runtime = images.of_runtime("a" * 64, code)
    for image, seconds in ((old, KEPT_S + 60), (recent, KEPT_S - 60), (runtime, 100 * KEPT_S)):
        forgotten(image, seconds)
    new = images.of_code(folder(tmp_path / "new", "c"))
    expected = {path.name for image in (recent, runtime, new) for path in (image, seal(image))}
    assert expected == in_store(images)


def test_asking_for_it_is_using_it(
    images: ImageStore, maker: Maker, code: Path, tmp_path: Path
) -> None:
    """An old image that is asked for every day is not old."""
    image = images.of_code(code)
    forgotten(image, 10 * KEPT_S)
    images.of_code(code)
    images.of_code(folder(tmp_path / "new", "c"))
    assert image.exists()
    assert len(maker.made) == 2


def test_code_takes_so_much_room_and_no_more(
    images: ImageStore, maker: Maker, code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond `KEPT_BYTES` the ones that were not used for the longest go; runtimes do not count."""
    found = [images.of_code(folder(tmp_path / f"{number}", f"{number}")) for number in range(4)]
    images.of_runtime("a" * 64, code)
    for image, seconds in zip(found, (300, 100, 400, 200), strict=True):
        forgotten(image, seconds)
    monkeypatch.setattr(module, "KEPT_BYTES", 3 * found[0].stat().st_blocks * 512)
    new = images.of_code(folder(tmp_path / "new", "n"))
    kept = {image for image in (*found, new) if image.exists()}
    assert kept == {found[1], found[3], new}
    assert images.runtime_bytes("a" * 64) > 0


def test_the_newest_stays_however_large(
    images: ImageStore, maker: Maker, code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made a moment ago is about to be mounted."""
    old = images.of_code(folder(tmp_path / "old", "b"))
    forgotten(old, 1)
    monkeypatch.setattr(module, "KEPT_BYTES", 1)
    new = images.of_code(code)
    assert (old.exists(), new.exists()) == (False, True)


def test_nothing_is_forgotten_while_nothing_is_made(
    images: ImageStore, maker: Maker, code: Path, tmp_path: Path
) -> None:
    """Looking for an image that is there removes no other."""
    old = images.of_code(code)
    recent = images.of_code(folder(tmp_path / "recent", "b"))
    forgotten(old, 10 * KEPT_S)
    assert images.of_code(tmp_path / "recent") == recent
    assert old.exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path, maker: Maker, code: Path) -> None:
    """Which one, why, and what to set; before anything is made."""
    (tmp_path / "file").touch()
    with pytest.raises(HostCannot) as caught:
        ImageStore(tmp_path / "file").of_code(code)
    assert (caught.value.message, caught.value.mend) == (
        f"{tmp_path}/file/images cannot be written: Not a directory",
        "set PLIMSOLL_HOME",
    )
    assert maker.made == []


def test_a_full_disk(images: ImageStore, monkeypatch: pytest.MonkeyPatch, code: Path) -> None:
    """Which image, why, and what to do; nothing of it stays in the way."""

    def make(tree: Path, image: Path) -> None:
        image.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ext4, "make_image", make)
    with pytest.raises(HostCannot) as caught:
        images.of_runtime("a" * 64, code)
    assert (caught.value.message, caught.value.mend) == (
        f"{images.folder}/runtime-{'a' * 32}.img cannot be made: No space left on device",
        f"free some space in {images.folder}, or set PLIMSOLL_HOME",
    )
    assert in_store(images) == set()


@pytest.mark.parametrize("error", [HostCannot("no mke2fs", mend="get it"), KeyboardInterrupt()])
def test_a_maker_that_fails_leaves_nothing(
    images: ImageStore, monkeypatch: pytest.MonkeyPatch, code: Path, error: BaseException
) -> None:
    """Its own error is passed on, and the next one who asks begins anew."""

    def make(tree: Path, image: Path) -> None:
        image.write_bytes(b"half")
        raise error

    monkeypatch.setattr(ext4, "make_image", make)
    with pytest.raises(type(error)) as caught:
        images.of_code(code)
    assert caught.value is error
    assert in_store(images) == set()
    monkeypatch.setattr(ext4, "make_image", Maker())
    assert images.of_code(code).exists()


def test_what_a_killed_maker_left_is_not_in_the_way(
    images: ImageStore, maker: Maker, code: Path
) -> None:
    """The same image is made again over it."""
    image = images.of_code(code)
    image.unlink()
    (images.folder / f".{image.name}.making").write_bytes(b"half")
    assert images.of_code(code).read_text() == "app.py\n" * 1000
    assert in_store(images) == {image.name, seal(image).name}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become nobody")
@pytest.mark.parametrize("touched", [False, True])
def test_a_store_that_may_only_be_read(maker: Maker, touched: bool) -> None:
    """Somebody else's images can be used, sealed or not: only making one has to write."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        images, code = ImageStore(Path(place)), folder(Path(place) / "code", "app.py")
        image = images.of_code(code)
        if touched:
            os.utime(image)
        os.seteuid(NOBODY)
        try:
            assert images.of_code(code) == image
            with pytest.raises(HostCannot, match="images cannot be written: Permission denied"):
                images.of_runtime("a" * 64, code)
        finally:
            os.seteuid(0)
    assert len(maker.made) == 1
