"""Unpacking what nobody vouches for, by a program of its own that cannot leave the folder it fills (see `untar`).

Rule: archives pass as open descriptors and are read as streams; none is in memory or on disk a second time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from plimsoll.errors import CallerError, HostCannot
from plimsoll.runtimes import untar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ZSTD = b"\x28\xb5\x2f\xfd"


def unpack(archives: Sequence[Path], target: Path, *, layers_of_image: Path | None = None) -> int:
    """Unpacks tars (plain, gzip, xz, bzip2, zstd) one over the other into a folder; gives how much was left out.

    `layers_of_image`: they are the layers of this image, with the whiteouts of the OCI format. Raises `CallerError`
    naming the archive and what is wrong with it, `HostCannot` for a full disk and without root.
    """
    names = [str(archive) for archive in archives]
    if layers_of_image is not None:
        names = [f"{layers_of_image}: its layer {number}" for number in range(1, len(names) + 1)]
    with ExitStack() as opened:
        files = [_open(archive, opened) for archive in archives]
        process = _start(target, files, layered=layers_of_image is not None)
        return _answer(process, target, names)


def unpack_folder(source: Path, target: Path) -> int:
    """Copies a folder as if it had been an archive: owners, modes, links. Raises as `unpack`."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file:
        process = _start(target, [file], layered=False)
    try:
        with (
            os.fdopen(writing, "wb") as pipe,
            tarfile.open(fileobj=pipe, mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.add(source, arcname=".")
    except BrokenPipeError:
        pass  # it has ended, and says why
    except OSError as error:
        process.kill()
        process.communicate()
        raise CallerError(f"{error.filename or source} cannot be read: {error.strerror}") from error
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return _answer(process, target, [str(source)])


def make_points(root: Path, folders: Sequence[str], files: Sequence[str], source: Path) -> None:
    """Makes places in a root file system on which a box mounts: real folders and files, as seen from inside.

    Raises `CallerError`, which names `source`, where a link or a file is in the way.
    """
    process = _start(root, [], layered=False, folders=folders, files_to_make=files)
    _answer(process, root, [str(source)])


def _open(archive: Path, opened: ExitStack) -> IO[bytes]:
    try:
        file = opened.enter_context(open(archive, "rb"))  # noqa: SIM115  the stack is one
    except OSError as error:
        raise CallerError(f"{archive} cannot be read: {error.strerror}") from error
    head = os.pread(file.fileno(), 4, 0)
    zstd = shutil.which("zstd")
    if head != _ZSTD or zstd is None:
        return file
    process = subprocess.Popen([zstd, "-dcq"], stdin=file, stdout=subprocess.PIPE)
    opened.callback(process.wait)
    opened.callback(process.kill)
    assert process.stdout is not None
    return opened.enter_context(process.stdout)


def _start(
    target: Path,
    files: Sequence[IO[bytes]],
    *,
    layered: bool,
    folders: Sequence[str] = (),
    files_to_make: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    if os.geteuid() != 0:
        raise HostCannot(
            "a root file system is unpacked with its owners, by a process locked into it: that needs root",
            mend="run plimsoll as root (sudo)",
        )
    descriptors = [file.fileno() for file in files]
    order = {
        "target": str(target),
        "archives": descriptors,
        "layered": layered,
        "folders": list(folders),
        "files": list(files_to_make),
    }
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", str(untar.__file__), json.dumps(order)],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
    )


def _answer(process: subprocess.Popen[bytes], target: Path, names: Sequence[str]) -> int:
    try:
        out, err = process.communicate()
    except BaseException:
        process.kill()
        process.communicate()
        raise
    try:
        answer = json.loads(out)
    except ValueError:
        words = err.decode(errors="replace").strip().splitlines()
        last = words[-1] if words else f"status {process.returncode}"
        raise HostCannot(f"unpacking into {target} failed: {last}") from None
    if "host" in answer:
        raise HostCannot(
            f"unpacking into {target} failed: {answer['host']}",
            mend="free some space there, or set PLIMSOLL_HOME",
        )
    if "refused" in answer:
        raise CallerError(f"{names[answer['archive']]} cannot be unpacked: {answer['refused']}")
    return int(answer["left_out"])
