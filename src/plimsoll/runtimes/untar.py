"""Unpacks archives into a folder that it makes its root first: run as a program of its own, see `unpack`.

Theory of operation. Whoever starts it is root, and nobody vouches for what it unpacks. So it opens the archives, makes
the target its root (chroot(2)), and only then reads the first member: whatever names and links say, there is no path
from here to anything outside. Devices and fifos are left out; modes and owners are kept, but set-user-id and
set-group-id, which a box does not honour and the host would. All modules are loaded before: inside there are none.

Rule: nothing but the standard library, since it runs without our packages. The answer is one JSON object on standard
output: `{"left_out": n}`, `{"refused": why, "archive": n}` or `{"host": why}`.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import json
import lzma
import os
import resource
import shutil
import stat
import sys
import tarfile
import zlib
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import io

LIMIT_BYTES = 10 << 30
"""AWS's own limit for an image, unpacked (DG/gettingstarted-limits)."""
_MEMORY_BYTES = 1 << 30
"""A header may claim to be as long as it likes, and is read whole."""
_OURS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EPERM})
_BROKEN = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, MemoryError, ValueError)
_CHUNK_BYTES = 1 << 20


class Refused(Exception):
    """The archive is broken, or has what nobody unpacks."""


class Member(tarfile.TarInfo):
    """One that tells a cut archive from one that is over: `tarfile` takes both for an end."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Member:
        """See `tarfile.TarInfo`. Raises `Refused` where that would be silent."""
        return cls._read(tarfile)

    @classmethod
    def _read(cls, archive: tarfile.TarFile) -> Member:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the block of zeros at its end
            raise
        except tarfile.HeaderError as error:
            if archive.offset == 0:
                raise Refused("it is no tar") from None
            said = str(error)
            words = (
                "it is cut short"
                if "empty" in said or "truncated" in said
                else f"it is broken: {said}"
            )
            raise Refused(words) from None


class Tree:
    """What is unpacked into `/`. `layered`: whiteouts of the OCI image format take away what lower layers brought."""

    def __init__(self, *, layered: bool, limit_bytes: int = LIMIT_BYTES) -> None:
        self.left_out = 0
        self._layered = layered
        self._left_bytes = limit_bytes
        self._of_this_layer: set[str] = set()

    def unpack(self, stream: IO[bytes]) -> None:
        """One archive on top of what is there. Raises `Refused`, `OSError` of the host's."""
        self._of_this_layer = set()
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=Member) as archive:
            for member in archive:
                try:
                    self._place(archive, member)
                except OSError as error:
                    if error.errno in _OURS:
                        raise
                    raise Refused(f"{member.name}: {error.strerror}") from error
                archive.members = []  # type: ignore[attr-defined]  # else all of them stay in memory
        while stream.read(_CHUNK_BYTES):
            pass  # to its end, where a compressed one has its checksum

    def _place(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = inside(member.name)
        folder, _, name = path.rpartition("/")
        if self._layered and name.startswith(".wh."):
            self._whiteout(folder or "/", name)
        elif member.ischr() or member.isblk() or member.isfifo():
            self.left_out += 1
        elif path == "/":
            return  # its own modes are not wanted: whoever unpacks decides on them
        else:
            os.makedirs(folder or "/", exist_ok=True)
            self._make(archive, member, path)
            self._of_this_layer.add(path)

    def _make(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        _make_way(path, for_folder=member.isdir())
        if member.isdir():
            with suppress(FileExistsError):
                os.mkdir(path)
        elif member.issym():
            os.symlink(member.linkname, path)
        elif member.islnk():
            os.link(inside(member.linkname), path, follow_symlinks=False)
            return  # of the same file: owner and mode are its first name's
        else:
            self._write(archive, member, path)
        os.chown(path, member.uid, member.gid, follow_symlinks=False)
        if not member.issym():
            os.chmod(path, member.mode & 0o1777)
            with suppress(ValueError, OverflowError):
                os.utime(path, (member.mtime, member.mtime))

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        source = archive.extractfile(member)
        if source is None:
            raise Refused(f"{member.name} is of an unknown kind")
        self._left_bytes -= member.size
        if self._left_bytes < 0:
            raise Refused(f"it is larger than {LIMIT_BYTES >> 30} GiB, more than AWS takes")
        with source, open(path, "xb") as file:
            shutil.copyfileobj(source, file, _CHUNK_BYTES)

    def _whiteout(self, folder: str, name: str) -> None:
        """Source of the names: opencontainers/image-spec, layer.md."""
        if name == ".wh..wh..opq":
            self._clear(folder)
        elif name in {".wh.", ".wh..", ".wh..."}:
            raise Refused(f"{folder}/{name} takes away nothing that has a name")
        elif not name.startswith(".wh..wh."):  # others of these are the old engines' own notes
            _remove(f"{folder.rstrip('/')}/{name.removeprefix('.wh.')}")

    def _clear(self, folder: str) -> None:
        """Takes away what lower layers brought; what this one has brought by then stays, wherever the mark stood."""
        if not os.path.isdir(folder) or os.path.islink(folder):
            return
        for name in os.listdir(folder):
            path = f"{folder.rstrip('/')}/{name}"
            if path not in self._of_this_layer:
                _remove(path)
            else:
                self._clear(path)


def inside(name: str) -> str:
    """A member's place. Raises `Refused` for one that leads up, which no honest archive has."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise Refused(f"its member {name!r} leads out of it")
    return "/" + "/".join(parts)


def make_points(folders: list[str], files: list[str]) -> None:
    """Places on which something will be mounted: real folders and files, never links. Raises `Refused`."""
    for path in (*folders, *files):
        is_folder = path in folders
        parent = path.rpartition("/")[0] or "/"
        with suppress(FileExistsError):
            os.mkdir(parent, 0o755)
        if os.path.islink(parent) or not os.path.isdir(parent):
            raise Refused(f"{parent} is no folder, and {path} must lie in it")
        if os.path.lexists(path) and _is(path, folder=is_folder):
            continue
        _remove(path)
        if is_folder:
            os.mkdir(path, 0o755)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


def open_stream(file: IO[bytes]) -> IO[bytes]:
    """The archive without its compression, known by its first bytes. Raises `Refused`."""
    head = cast("io.BufferedReader", file).peek(6)[:6]
    if head.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if head == b"\xfd7zXZ\0":
        return cast("IO[bytes]", lzma.LZMAFile(file))
    if head.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(file))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return _open_zstd(file)
    return file


def _open_zstd(file: IO[bytes]) -> IO[bytes]:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise Refused(
            "it is compressed with zstd, which takes Python 3.14 or the program `zstd`"
        ) from None
    return cast("IO[bytes]", zstd.ZstdFile(file))


def _is(path: str, *, folder: bool) -> bool:
    """Whether it is a real folder, or a real file: a link is neither."""
    mode = os.lstat(path).st_mode
    return stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode)


def _make_way(path: str, *, for_folder: bool) -> None:
    """As engines do: whatever had the name goes, but a folder where a folder comes."""
    with suppress(FileNotFoundError):
        if not (for_folder and _is(path, folder=True)):
            _remove(path)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        if _is(path, folder=True):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def carry_out(order: dict[str, Any]) -> dict[str, Any]:
    """The whole of it, in this process, whose root is another afterwards."""
    archive = 0
    try:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        streams = []
        for archive, descriptor in enumerate(order["archives"]):  # noqa: B007  told on refusal
            streams.append(open_stream(os.fdopen(descriptor, "rb", _CHUNK_BYTES)))
        os.umask(0o022)
        os.chroot(order["target"])
        os.chdir("/")
        tree = Tree(layered=order["layered"])
        for archive, stream in enumerate(streams):  # noqa: B007
            tree.unpack(stream)
        make_points(order["folders"], order["files"])
    except Refused as error:
        return {"refused": str(error), "archive": archive}
    except _BROKEN as error:
        return {
            "refused": f"it is broken: {str(error) or type(error).__name__}",
            "archive": archive,
        }
    except OSError as error:
        # gzip's word for a wrong checksum is an OSError without a number
        if error.errno is None:
            return {"refused": f"it is broken: {error}", "archive": archive}
        return {"host": f"{error.filename or 'the archive'}: {error.strerror}"}
    return {"left_out": tree.left_out}


if __name__ == "__main__":
    print(json.dumps(carry_out(json.loads(sys.argv[1]))))
