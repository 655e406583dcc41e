"""Installs a runtime from what the user names (`--from`), instead of fetching it.

Two kinds. A language's folder becomes `lang/`, and AWS's client comes beside it as for every fetched one. A root file
system becomes `root/`, the whole of what a box shows: with a `/var/runtime/bootstrap`, as AWS's own base images have
it, that is run, unchanged; without one AWS's client is put at /var/runtime and run by the language's program.

Rule: nothing of it is run on the host. What it is is read from its files.
"""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from plimsoll.errors import CallerError
from plimsoll.runtimes import nodejs, python
from plimsoll.runtimes.catalog import NODE_CLIENTS, PYTHONS, language_of
from plimsoll.runtimes.recipe import recipe
from plimsoll.runtimes.rooted import program_loader, resolve_in, why_unusable
from plimsoll.runtimes.runtime import BOOTSTRAP, LIBRARY_FOLDERS, Manifest
from plimsoll.runtimes.source import unpack_source
from plimsoll.runtimes.unpack import make_points

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOUNT_POINTS = ("/proc", "/dev", "/tmp", "/opt", "/mnt", "/var/task", "/var/runtime")
WRITTEN = ("/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf")
"""What a box mounts over a root of its own (`sandbox.box_init`)."""
_CLIENT_LIBRARIES = ("libstdc++.so.6", "libgcc_s.so.1")
_BINARY_FOLDERS = ("var/lang/bin", "usr/local/bin", "usr/bin", "bin")


def install(
    name: str, source: Path, making: Path, tools: Path, on_progress: Callable[[str], None]
) -> Manifest:
    """Fills `making`. Raises `CallerError` naming what the source lacks, `HostCannot`."""
    unpacked = unpack_source(source, making, on_progress)
    place = making / ("lang" if unpacked.kind == "folder" else "root")
    unpacked.tree.rename(place)
    with suppress(FileNotFoundError):
        (making / "unpacked").rmdir()  # around a folder that was one further down
    if unpacked.kind == "root":
        return _install_root(name, source, making, tools, on_progress)
    if language_of(name) == "provided":
        raise CallerError(
            f"{source} is no root file system: it has no usr, var/lang or var/runtime"
        )
    program = _program(name, place, ("bin",), source)
    _refuse_other_libc(name, place, program, source)
    version = _version(name, place, program, source)
    return Manifest(
        name=name,
        language=language_of(name),
        version=version,
        client=_install_client(name, making, tools, on_progress),
        recipe=recipe(name),
        origin="folder",
        source=str(source.absolute()),
        content=secrets.token_hex(8),
    )


def _install_root(
    name: str, source: Path, making: Path, tools: Path, on_progress: Callable[[str], None]
) -> Manifest:
    root = making / "root"
    root.chmod(0o755)
    make_points(root, MOUNT_POINTS, WRITTEN, source)
    language = language_of(name)
    program = ""
    if language != "provided":  # there the function brings its bootstrap
        program = _program_of_root(name, root, source)
    version = _version(name, root, program or _first_program(name, root), source)
    client = _install_client(name, making, tools, on_progress) if program else ""
    return Manifest(
        name=name,
        language=language,
        version=version,
        client=client,
        recipe=recipe(name) if client else "",
        origin="root",
        source=str(source.absolute()),
        program=f"/{program}" if program else "",
        content=secrets.token_hex(8),
    )


def _program_of_root(name: str, root: Path, source: Path) -> str:
    """What AWS's client is to be run by; empty where the root has a bootstrap of its own. Raises `CallerError`."""
    if resolve_in(root, BOOTSTRAP) is not None:
        unusable = why_unusable(root, BOOTSTRAP)
        if unusable:
            raise CallerError(f"{source} cannot be run as {name}: {unusable}")
        _refuse_another_series(name, root, source)
        return ""
    program = _program(name, root, _BINARY_FOLDERS, source)
    _refuse_other_libc(name, root, program, source)
    _refuse_without_libraries(name, root, source)
    return program


def _install_client(
    name: str, making: Path, tools: Path, on_progress: Callable[[str], None]
) -> str:
    if name in NODE_CLIENTS:
        return nodejs.install_client(name, making, tools, on_progress)
    return python.install_client(name, making, on_progress)


def _program_names(name: str) -> tuple[str, ...]:
    if name.startswith("nodejs"):
        return ("node", "nodejs")
    return (name,) if name.startswith("python") else ()


def _places(name: str, folders: tuple[str, ...]) -> list[str]:
    return [f"{folder}/{program}" for program in _program_names(name) for folder in folders]


def _first_program(name: str, root: Path) -> str:
    """The language's program in a root that has its own bootstrap: for its version alone; empty without."""
    places = _places(name, _BINARY_FOLDERS)
    return next((place for place in places if why_unusable(root, place) is None), "")


def _program(name: str, root: Path, folders: tuple[str, ...], source: Path) -> str:
    """The first usable one. Raises `CallerError` that names all that was looked for, and what is wrong with it."""
    if name not in NODE_CLIENTS and name not in PYTHONS:
        raise CallerError(
            f"{source} has no {BOOTSTRAP}, without which {name} cannot be run",
            mend=f"give it the root file system of AWS's own base image for {name}",
        )
    places = _places(name, folders)
    reasons = []
    for place in places:
        reason = why_unusable(root, place)
        if reason is None:
            return place
        if resolve_in(root, place) is not None:
            reasons.append(reason)
    looked = places if folders == ("bin",) else [BOOTSTRAP.lstrip("/"), *places]
    because = f" ({'; '.join(reasons)})" if reasons else ""
    raise CallerError(
        f"{source} has no usable program for {name}: looked for {', '.join(looked)}{because}"
    )


def _refuse_other_libc(name: str, root: Path, program: str, source: Path) -> None:
    """The wheels of AWS's Python client are for the GNU C library; Node's is JavaScript alone."""
    found = resolve_in(root, program)
    if name in PYTHONS and found is not None and "musl" in program_loader(found):
        raise CallerError(
            f"{source}: its {program} is for the musl C library, and AWS's client for Python is not"
        )


def _refuse_without_libraries(name: str, root: Path, source: Path) -> None:
    """The transport of AWS's client for Python is C++."""
    places = [path for folder in LIBRARY_FOLDERS for path in (root / folder, *root.glob(folder))]
    folders = {str(path.relative_to(root)) for path in places}
    for library in _CLIENT_LIBRARIES if name in PYTHONS else ():
        if not any(resolve_in(root, f"{folder}/{library}") for folder in folders):
            raise CallerError(
                f"{source} has no {library}, which AWS's client for Python needs",
                mend="install it in there; on Debian it comes with libstdc++6",
            )


def _refuse_another_series(name: str, root: Path, source: Path) -> None:
    """One of AWS's images has its language in /var/lang: told apart here, not by the first invocation."""
    folder = resolve_in(root, "var/lang/bin")
    there = [path.name for path in folder.glob("python3.*")] if folder is not None else []
    pythons = sorted(n for n in there if re.fullmatch(r"python3\.\d+", n))
    if name.startswith("python") and pythons and name not in pythons:
        raise CallerError(f"{source} is no {name}: it has {', '.join(pythons)} in /var/lang/bin")


def _version(name: str, root: Path, program: str, source: Path) -> str:
    """As the program's own text has it; the series alone where it has none. Raises `CallerError` for another series."""
    series = name.lstrip("abcdefghijklmnopqrstuvwxyz").removesuffix(".x").lstrip(".")
    if name.startswith("nodejs"):
        pattern = rb"node-v(\d+\.\d+\.\d+)|\0v(\d\d\.\d+\.\d+)\0"
    else:
        pattern = rb"(?<![\d.])(" + re.escape(series).encode() + rb"\.\d+)(?=[\0+])"
    found = next((v for file in _texts(root, program) if (v := _search(file, pattern))), "")
    if found and not f"{found}.".startswith(f"{series}."):
        raise CallerError(f"{source} is no {name}: its {program} is version {found}")
    return found or series


def _texts(root: Path, program: str) -> list[Path]:
    """The program, and the library that a small one leaves its text to."""
    found = resolve_in(root, program) if program else None
    if found is None:
        return []
    lib = found.parent.parent / "lib"
    libraries = [
        path for path in sorted(lib.glob(f"lib{found.name}*.so*")) if not path.is_symlink()
    ]
    return [found, *libraries]


def _search(file: Path, pattern: bytes) -> str:
    match = re.search(pattern, file.read_bytes())
    return next((group for group in match.groups() if group), b"").decode() if match else ""
