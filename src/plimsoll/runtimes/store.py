"""The data folder's runtimes: what is installed, getting one, adding and removing.

Rule: an install is made beside its place and renamed into it; one that is interrupted leaves nothing that counts,
and two builders at once wait for each other on a lock.
"""

from __future__ import annotations

import fcntl
import glob
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll.errors import CallerError, HostCannot
from plimsoll.runtimes import nodejs, python
from plimsoll.runtimes.catalog import NODE_CLIENTS, NOT_YET, PYTHONS, SUPPORTED, Offer
from plimsoll.runtimes.recipe import recipe
from plimsoll.runtimes.runtime import Manifest, Runtime
from plimsoll.runtimes.system_files import are_current, copy_system_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class RuntimeStore:
    """The runtimes under a data folder."""

    def __init__(self, data_folder: Path) -> None:
        self.data_folder = data_folder
        self._tools = data_folder / "tools"
        self._folder = data_folder / "runtimes"

    def installed(self) -> tuple[Runtime, ...]:
        """All installed ones, newest series first within a language."""
        names = glob.glob("[a-z]*", root_dir=self._folder)  # not Path.glob: it may raise
        found = [_read(self._folder / name) for name in names]
        return tuple(sorted((r for r in found if r), key=lambda r: r.name, reverse=True))

    def check(self, name: str) -> None:
        """Whether Plimsoll could run it at all. Raises `CallerError` that lists what it could."""
        known = f"supported: {', '.join(SUPPORTED)}"
        if name in NOT_YET:
            raise CallerError(f"{name}: Plimsoll does not run {NOT_YET[name]} yet; {known}")
        if name not in SUPPORTED:
            raise CallerError(f"{name} is not a runtime of AWS Lambda that Plimsoll knows; {known}")

    def get(self, name: str) -> Runtime:
        """An installed one. Raises `CallerError` that lists what there is and how to add."""
        have = "this host has: " + (", ".join(r.name for r in self.installed()) or "none")
        try:
            self.check(name)
        except CallerError as error:
            raise CallerError(
                f"{error.message}; {have}",
                mend="plimsoll runtimes add NAME installs a supported one",
            ) from error
        runtime = _read(self._folder / name)
        if runtime is None:
            raise CallerError(
                f"the runtime {name} is not installed; {have}",
                mend=f"plimsoll runtimes add {name}",
            )
        if not are_current(runtime.folder):  # the host's C library has been updated meanwhile
            with self._lock(name):
                copy_system_files(runtime.folder)
        return runtime

    def add(self, name: str, on_progress: Callable[[str], None]) -> Runtime:
        """Installs one, or gives the one that is there. Raises `CallerError`, `HostCannot`."""
        self.check(name)
        with self._lock(name):
            runtime = _read(self._folder / name)
            if runtime is None:
                self._install(name, on_progress)
                runtime = _read(self._folder / name)
        assert runtime is not None
        return runtime

    def remove(self, name: str) -> None:
        """Removes an installed one. Raises `CallerError` where it is not."""
        runtime = self.get(name)
        with self._lock(name):
            shutil.rmtree(runtime.folder)

    def catalog(self) -> list[Offer]:
        """Every runtime that Plimsoll knows how to run: installed, to be had, or what is missing for it."""
        installed = {runtime.name: runtime for runtime in self.installed()}
        return [self._offer(name, installed.get(name)) for name in SUPPORTED]

    def _offer(self, name: str, runtime: Runtime | None) -> Offer:
        if runtime is not None:
            return Offer(name, "installed", runtime.manifest.version, _size_bytes(runtime.folder))
        add = f"plimsoll runtimes add {name}"
        series = name.removeprefix("python")
        if name in PYTHONS and python.find_python(series) is None:
            return Offer(
                name,
                "missing",
                reason=f"no Python {series} on this host",
                mend=f"install it, then {add}",
            )
        return Offer(name, "available", mend=add)

    def _install(self, name: str, on_progress: Callable[[str], None]) -> None:
        making = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=self._folder))
        try:
            if name in NODE_CLIENTS:
                manifest = nodejs.install(name, making, self._tools, on_progress)
            else:
                manifest = python.install(name, making, on_progress)
            copy_system_files(making)
            (making / "manifest.json").write_text(manifest.to_json())
            making.chmod(0o755)
            shutil.rmtree(self._folder / name, ignore_errors=True)  # of another recipe
            making.rename(self._folder / name)
        except OSError as error:
            raise HostCannot(
                f"{name} could not be installed under {self._folder}: {error}",
                mend="free some space there, or set PLIMSOLL_HOME",
            ) from error
        finally:
            shutil.rmtree(making, ignore_errors=True)

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._folder / f".{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise HostCannot(
                f"{self._folder} cannot be written: {error.strerror}", mend="set PLIMSOLL_HOME"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _read(folder: Path) -> Runtime | None:
    """The install in a folder; None where there is none, or one that another version of Plimsoll made."""
    try:
        manifest = Manifest(**json.loads((folder / "manifest.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None
    current = manifest.name in SUPPORTED and manifest.recipe == recipe(manifest.name)
    return Runtime(manifest, folder) if current else None


def _size_bytes(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
