"""The data folder's images, by what they hold.

Theory of operation. An image's name is the digest of its content, so it is never changed, only made or removed. It is
made beside its place and renamed into it; two builders of the same one wait for each other on a lock. Beside it lies
its seal: checksum, size, and the inode and change time that the file had when the checksum was last seen to be right.
While those stand, the image is taken as it is; else it is read through, and made anew if it is not what it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from plimsoll.errors import CallerError, HostCannot
from plimsoll.file_lock import locked
from plimsoll.images import ext4
from plimsoll.images.digest import tree_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from plimsoll.model.memory import Touched

KEPT_S = 7 * 86400
KEPT_BYTES = 2 << 30
"""Images of code that nobody has used for so long, or that are over so much in all, go when another one is made."""
_CODE, _RUNTIME = "code", "runtime"
_ATTEMPTS = 3
_MAKING = ".*.making"
_LEFT_OVER = (_MAKING, ".*.json.*", ".*.touched.*", ".tmp-*")
"""What somebody who was killed may leave; the lock is held when it is swept."""
_LONG_S = 1.0
"""What takes longer is told while it lasts."""


def _say_nothing(what: str) -> None:
    """For whoever does not want to hear of it."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What an image was when it was last looked through."""

    sha256: str
    size_bytes: int
    inode: int
    changed_ns: int

    def stands(self, status: os.stat_result) -> bool:
        """Whether the file has not been touched since. The change time cannot be set back, as the others can."""
        return (self.size_bytes, self.inode, self.changed_ns) == (
            status.st_size,
            status.st_ino,
            status.st_ctime_ns,
        )


@dataclass(frozen=True, slots=True)
class Pruned:
    """An image that was removed."""

    name: str
    freed_bytes: int


class _ChangedMeanwhileError(Exception):
    """What was packed is not what the digest was taken of."""


class ImageStore:
    """The images under a data folder. Its methods block: for a thread, where others wait."""

    def __init__(
        self, data_folder: Path, on_progress: Callable[[str], None] = _say_nothing
    ) -> None:
        """`on_progress` is given a sentence, from another thread, when something takes more than a second."""
        self.folder = data_folder / "images"
        self._on_progress = on_progress

    def of_code(self, tree: Path) -> Path:
        """The image of a folder of code or layers.

        Raises `HostCannot`, also where something in it cannot be read; `CallerError` where it does not stand still.
        """
        if self.folder.resolve().is_relative_to(tree.resolve()):
            raise HostCannot(
                f"{self.folder} lies in {tree}, of which an image is to be made",
                mend="set PLIMSOLL_HOME to a folder outside of it",
            )
        with self._tell(f"making an image of {tree}"):
            for _ in range(_ATTEMPTS):
                digest = _digest(tree)
                with contextlib.suppress(_ChangedMeanwhileError):
                    return self._get(_CODE, digest, lambda image, d=digest: _pack(tree, image, d))  # type: ignore[misc]
        raise CallerError(
            f"{tree} is being changed while an image is made of it",
            mend="run it again when whatever writes there is done",
        )

    def of_runtime(self, key: str, folder: Path) -> Path:
        """The image of an installed runtime, whose content `key` stands for. Raises `HostCannot`."""
        with self._tell(f"making an image of {folder}, once"):
            return self._get(_RUNTIME, key, lambda image: ext4.make_image(folder, image))

    def runtime_bytes(self, key: str) -> int:
        """What the image of an installed runtime takes on disk; 0 where it has not been made yet."""
        try:
            return (self.folder / _name(_RUNTIME, key)).stat().st_blocks * 512
        except OSError:
            return 0

    def remove_runtime(self, key: str) -> int:
        """Removes the image of a runtime, if it has one; gives the bytes freed. Raises `HostCannot`."""
        freed_bytes = self.runtime_bytes(key)
        if freed_bytes:
            with locked(self.folder):
                _remove(self.folder / _name(_RUNTIME, key))
        return freed_bytes

    def touched(self, key: str) -> Touched | None:
        """What the runtime of this image touches when it starts, if that was ever learned."""
        try:
            found = json.loads(_touched_path(self.folder / _name(_RUNTIME, key)).read_text())
            return tuple(
                (str(path), tuple((int(offset), int(length)) for offset, length in ranges))
                for path, ranges in found
            )
        except (OSError, ValueError, TypeError):
            return None

    def keep_touched(self, key: str, touched: Touched) -> None:
        """Keeps it beside the image. Raises `OSError`."""
        _write(_touched_path(self.folder / _name(_RUNTIME, key)), json.dumps(touched))

    def prune(self, runtime_keys: Collection[str]) -> list[Pruned]:
        """Removes what no installed runtime needs. An image that is mounted lives on until its environment ends."""
        if not self.folder.is_dir():
            return []
        keep = {_name(_RUNTIME, key) for key in runtime_keys}
        pruned = []
        with locked(self.folder):
            for image in sorted(self.folder.glob("[a-z]*.img")):
                if image.name not in keep:
                    pruned.append(Pruned(image.name, image.stat().st_blocks * 512))
                    _remove(image)
            for place in _LEFT_OVER:
                for left_over in self.folder.glob(place):
                    pruned.append(Pruned(left_over.name, left_over.stat().st_blocks * 512))
                    left_over.unlink(missing_ok=True)
        return pruned

    @contextlib.contextmanager
    def _tell(self, what: str) -> Iterator[None]:
        alarm = threading.Timer(_LONG_S, self._on_progress, (what,))
        alarm.daemon = True
        alarm.start()
        try:
            yield
        finally:
            alarm.cancel()

    def _get(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        image = self.folder / _name(kind, key)
        if not _is_sound(image):
            with locked(self.folder):
                if not _is_sound(image):
                    self._make(image, make)
                    self._forget_old()
        with contextlib.suppress(OSError):  # a folder that may only be read
            os.utime(_seal_path(image))
        return image

    def _make(self, image: Path, make: Callable[[Path], None]) -> None:
        making = self.folder / f".{image.name}.making"
        try:
            _remove(image)
            # we hold the lock, so their makers were killed
            for left_over in self.folder.glob(_MAKING):
                left_over.unlink()
            make(making)
            sha256 = _sha256(making)
            # or, after a power cut, a seal may stand over bytes that were never written
            _flush(making)
            making.rename(image)
            _write_seal(image, sha256)
        except OSError as error:
            raise HostCannot(
                f"{image} cannot be made: {error.strerror or error}",
                mend=f"free some space in {self.folder}, or set PLIMSOLL_HOME",
            ) from error
        finally:
            making.unlink(missing_ok=True)

    def _forget_old(self) -> None:
        """The least recently used images of code go, beyond `KEPT_S` and `KEPT_BYTES`; never the newest."""
        limit = time.time() - KEPT_S
        images = sorted(self.folder.glob(f"{_CODE}-*.img"), key=_last_used, reverse=True)
        held_bytes = 0
        for number, image in enumerate(images):
            held_bytes += image.stat().st_blocks * 512
            if number and (_last_used(image) < limit or held_bytes > KEPT_BYTES):
                _remove(image)


def _digest(tree: Path) -> str:
    try:
        return tree_digest(tree)
    except OSError as error:
        raise HostCannot(f"{tree} cannot be read: {error}") from error


def _pack(tree: Path, image: Path, digest: str) -> None:
    """An image is named after what it holds: looked at again when it holds it."""
    ext4.make_image(tree, image)
    if _digest(tree) != digest:
        raise _ChangedMeanwhileError


def _name(kind: str, key: str) -> str:
    return f"{kind}-{key[:32]}.img"


def _seal_path(image: Path) -> Path:
    return image.with_suffix(".json")


def _touched_path(image: Path) -> Path:
    return image.with_suffix(".touched")


def _last_used(image: Path) -> float:
    """When somebody last asked for it; now for one without a seal, which is being made or unmade."""
    try:
        return _seal_path(image).stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _is_sound(image: Path) -> bool:
    """Whether the image is there and is what it was made as."""
    try:
        seal = Seal(**json.loads(_seal_path(image).read_text()))
        status = image.stat()
    except (OSError, ValueError, TypeError):
        return False
    if seal.stands(status):
        return True
    if status.st_size != seal.size_bytes or _sha256(image) != seal.sha256:
        return False
    # moved, or restored from a backup; the folder may be read-only
    with contextlib.suppress(OSError):
        _write_seal(image, seal.sha256)
    return True


def _write_seal(image: Path, sha256: str) -> None:
    status = image.stat()
    seal = Seal(sha256, status.st_size, status.st_ino, status.st_ctime_ns)
    _write(_seal_path(image), json.dumps(asdict(seal)))


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(f"{text}\n")
    beside.rename(path)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _remove(image: Path) -> None:
    """The seal first: an image without one is nobody's."""
    _seal_path(image).unlink(missing_ok=True)
    _touched_path(image).unlink(missing_ok=True)
    image.unlink(missing_ok=True)
