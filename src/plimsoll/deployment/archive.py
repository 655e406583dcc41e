"""Unpacks a zip that nobody vouches for.

Rule: every name is judged before a byte is written, bytes are counted as they come (a header may lie), and a refusal
leaves nothing behind. Limits: DG/gettingstarted-limits (facts sheet F2); texts: facts sheet F5.
"""

from __future__ import annotations

import errno
import lzma
import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from plimsoll.errors import CallerError, HostCannot

UNZIPPED_LIMIT_BYTES = 262_144_000
ENTRIES_MAX = 100_000
_CHUNK_BYTES = 1 << 20
# what zipfile and its decompressors raise for bytes that are no zip, found by feeding them damaged ones
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
    IndexError,
)


def extract(
    archive: Path,
    into: Path,
    *,
    limit_bytes: int = UNZIPPED_LIMIT_BYTES,
    entries_max: int = ENTRIES_MAX,
) -> int:
    """Unpacks into `into`, which must not exist yet; modes are kept. Gives the bytes unpacked.

    Raises `CallerError` naming the entry for a broken or encrypted zip, an absolute path, `..`, a link that leads
    out, a special file, two entries in one place, or more than the limits allow; `HostCannot` for a full disk.
    """
    into.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            return _extract(opened, into, limit_bytes, entries_max)
    except (*_BROKEN, OSError) as error:
        shutil.rmtree(into)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise HostCannot(
                f"{archive} cannot be unpacked into {into}: {error.strerror}",
                mend="free some space there",
            ) from error
        raise CallerError(
            f"{archive}: Could not unzip uploaded file. Please check your file, then try to upload again. ({error})"
        ) from error
    except BaseException:
        shutil.rmtree(into)
        raise


def _extract(opened: zipfile.ZipFile, into: Path, limit_bytes: int, entries_max: int) -> int:
    entries = opened.infolist()
    if len(entries) > entries_max:
        raise CallerError(f"the zip has {len(entries)} entries; at most {entries_max} are unpacked")
    unpacked = 0
    links: list[Path] = []
    for entry in entries:
        target = into / _safe_name(entry.filename)
        _refuse_taken(target, into, entry)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.is_dir():
            target.mkdir(exist_ok=True)
        elif kind == stat.S_IFLNK:
            _link(opened, entry, target)
            links.append(target)
        elif kind in {0, stat.S_IFREG}:
            unpacked += _file(opened, entry, target, limit_bytes - unpacked)
        else:
            raise CallerError(
                f"the zip's entry {entry.filename} is a special file; a package has files, folders and links"
            )
    _refuse_leading_out(links, into)
    return unpacked


def _safe_name(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts
    if outside or "\\" in name or "\0" in name or (path.parts and path.parts[0].endswith(":")):
        raise CallerError(
            f"the zip's entry {name!r} leads out of the package; make the zip from inside its folder"
        )
    return path


def _refuse_taken(target: Path, into: Path, entry: zipfile.ZipInfo) -> None:
    """Two entries in one place, or one below a link or file: what would count depends on the tool that unpacks."""
    for parent in target.parents:
        if parent == into:
            break
        if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
            raise CallerError(
                f"the zip's entry {entry.filename} lies below another that is no folder"
            )
    if target.is_symlink() or (target.exists() and not (entry.is_dir() and target.is_dir())):
        raise CallerError(f"the zip has two entries for {entry.filename}")


def _link(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    if entry.file_size > 4096:
        raise CallerError(f"the zip's link {entry.filename} is longer than a path can be")
    target.symlink_to(opened.read(entry).decode(errors="surrogateescape"))


def _refuse_leading_out(links: list[Path], into: Path) -> None:
    """Judged when all are there: each of `a -> ..` and `b -> a/..` stays inside alone, and together they do not."""
    root = os.path.realpath(into)
    for link in links:
        leads_to = os.readlink(link)
        if os.path.isabs(leads_to) or not Path(os.path.realpath(link)).is_relative_to(root):
            raise CallerError(
                f"the zip's link {link.relative_to(into)} -> {leads_to} leads out of the package"
            )


def _file(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left_bytes: int) -> int:
    written = 0
    with opened.open(entry) as source, open(target, "xb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            written += len(chunk)
            if written > left_bytes:
                raise CallerError(
                    f"Unzipped size must be smaller than {UNZIPPED_LIMIT_BYTES} bytes"
                )
            file.write(chunk)
    mode = (entry.external_attr >> 16) & 0o777
    target.chmod(mode or 0o644)  # a zip made on Windows has no modes
    return written
