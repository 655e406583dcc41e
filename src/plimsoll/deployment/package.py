"""What PATH names (a handler's file, a folder, a zip) to the folder that becomes /var/task."""

from __future__ import annotations

import os
import re
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plimsoll.deployment.archive import extract
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from pathlib import Path

KINDS = (".js", ".mjs", ".cjs", ".py")
BOOTSTRAP = "bootstrap"
"""What a custom runtime is called (facts sheet D5)."""
_WHAT_PATH_IS = "PATH is a handler's file, a custom runtime's bootstrap, a folder, or a zip"
_SAY_NOTHING = {"index", "app", "main", "handler", "lambda_function", BOOTSTRAP}


@dataclass(frozen=True, slots=True)
class Package:
    """Deployed code: `root` becomes /var/task; `name` is the function's default name."""

    root: Path
    name: str
    entry: str | None
    """The one file that was named, if PATH was a file."""
    source: Path
    """PATH as it was given: the name of the package in all that is said of it."""


def resolve(path: Path, staging: Path) -> Package:
    """A file is copied alone into `staging`, a folder is used as it is, a zip is unpacked into `staging`.

    Raises `CallerError` for what is missing, unreadable, empty or of an unknown kind.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise CallerError(f"{path}: {error.strerror}; {_WHAT_PATH_IS}") from error
    name = _function_name(path)
    if stat.S_ISDIR(status.st_mode):
        if not any(path.iterdir()):
            raise CallerError(f"{path} is empty: there is no code to run")
        _refuse_unreadable(path)
        return Package(path.resolve(), name, None, path)
    if not stat.S_ISREG(status.st_mode):  # a fifo would be waited for
        raise CallerError(f"{path} is neither a file nor a folder; {_WHAT_PATH_IS}")
    if path.suffix == ".zip":
        root = staging / f"task-{name}"
        extract(path, root)
        open_folders(root)
        _refuse_unreadable(root, zipped=path)
        return Package(root, name, None, path)
    if path.suffix in KINDS or path.name == BOOTSTRAP:
        root = staging / f"task-{name}"
        root.mkdir(parents=True)
        shutil.copyfile(path, root / path.name)
        # a bootstrap that nobody made executable is not on AWS either
        is_program = path.name == BOOTSTRAP and status.st_mode & 0o111
        (root / path.name).chmod(0o755 if is_program else 0o644)
        open_folders(root)
        return Package(root, name, path.name, path)
    raise CallerError(
        f"{path}: unknown kind of file; a handler's file ends in {', '.join(KINDS)}, a custom runtime is called "
        f"{BOOTSTRAP}, a package ends in .zip"
    )


def one_folder_down(package: Package) -> str | None:
    """What to do where all the code lies in one folder of the top, as in a zip made from outside; else None."""
    folders = [path for path in package.root.iterdir() if path.is_dir() and _has_code(path)]
    if len(folders) != 1 or _has_code(package.root):
        return None
    name = folders[0].name
    if package.source.is_dir():
        return f"the code lies in {name}/: give {package.source / name} as PATH"
    return f"the code lies in {name}/ of the zip: make the zip from inside that folder"


def _has_code(folder: Path) -> bool:
    return any(path.suffix in KINDS and path.is_file() for path in folder.iterdir())


def _function_name(path: Path) -> str:
    """In AWS's alphabet and length; for a file of a usual name its folder's, which says more."""
    path = path.resolve()
    stem = path.stem if path.is_file() else path.name
    if path.is_file() and stem in _SAY_NOTHING:
        stem = path.parent.name
    return re.sub(r"[^a-zA-Z0-9_-]", "-", stem)[:64] or "function"


def _refuse_unreadable(root: Path, zipped: Path | None = None) -> None:
    """The function is an unprivileged user. Looks at the top level only: a deep tree would take its time."""
    for path in (root, *root.iterdir()):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        needed = 0o005 if stat.S_ISDIR(mode) else 0o004
        if mode & needed != needed:
            where = path if zipped is None else f"{zipped}: {path.relative_to(root)}"
            again = "" if zipped is None else " in its folder, and make the zip anew"
            raise CallerError(
                f"{where} cannot be read by the function's user (mode {stat.S_IMODE(mode):04o}); so it is on AWS",
                mend=f"chmod -R o+rX {root if zipped is None else '.'}{again}",
            )


def open_folders(root: Path) -> None:
    """Folders that we made must let the function's user in; files keep the modes that they came with, as on AWS."""
    for folder, _, _ in os.walk(root):
        os.chmod(folder, 0o755)  # noqa: S103  read-only for the function all the same
