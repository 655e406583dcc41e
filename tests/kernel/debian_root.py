"""A root file system with Python, made by Debian's own tools without Debian's root."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SERIES = ("3.11", "3.12", "3.13", "3.14")
_NOT_NEEDED = re.compile(r"perl|libperl|dpkg|install-info|mailcap|tar$|<")
_DEPENDS = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")


def debian_python_root(folder: Path) -> tuple[Path, str]:
    """The file system under `folder/root`, and the series of its Python; skips where apt cannot download."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("needs Debian's apt-get and dpkg-deb")
    packages = folder / "packages"
    packages.mkdir()
    for series in SERIES:
        names = [f"libpython{series}-stdlib", f"python{series}-minimal", "libstdc++6"]
        if _run(packages, "apt-get", "download", *_with_dependencies(packages, names)):
            break
    else:
        pytest.skip("apt-get cannot download a python3.x-minimal")
    root = folder / "root"
    for place in ("etc", "usr", "var", "tmp"):
        (root / place).mkdir(parents=True)
    for package in packages.glob("*.deb"):
        assert _run(packages, "dpkg-deb", "-x", str(package), str(root))
    (root / "etc/os-release").write_text("ID=of-the-image\n")
    return root, series


def _with_dependencies(cwd: Path, names: list[str]) -> list[str]:
    command = ["apt-cache", "depends", "--recurse", *(f"--no-{kind}" for kind in _DEPENDS), *names]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if not line.startswith((" ", "<"))]
    return sorted({*names, *(name for name in found if not _NOT_NEEDED.match(name))})


def _run(cwd: Path, *command: str) -> bool:
    return subprocess.run(command, cwd=cwd, capture_output=True, check=False).returncode == 0
