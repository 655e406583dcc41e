"""The data folder's runtimes: what is installed, getting one, adding and removing.

Rule: an install is made beside its place and renamed into it; one that is interrupted leaves nothing that counts,
and two builders at once wait for each other on a lock.
"""

from __future__ import annotations

import glob
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll.errors import CallerError, HostCannot
from plimsoll.file_lock import locked
from plimsoll.runtimes import given, nodejs, python
from plimsoll.runtimes.catalog import FROM_IMAGE, NODE_CLIENTS, PROVIDED, PYTHONS, SUPPORTED, Offer
from plimsoll.runtimes.recipe import recipe
from plimsoll.runtimes.runtime import Manifest, Runtime
from plimsoll.runtimes.system_files import are_current, copy_system_files

if TYPE_CHECKING:
    from collections.abc import Callable


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

    def check(self, name: str, *, from_source: bool = False) -> None:
        """Whether it could be added. Raises `CallerError` that lists what could.

        `from_source`: from what the user names, where AWS's own base images are runtimes too.
        """
        known = f"supported: {', '.join(SUPPORTED)}"
        if name in FROM_IMAGE and not from_source:
            raise CallerError(
                f"{name}: Plimsoll cannot fetch {FROM_IMAGE[name]}; {known}",
                mend=f"plimsoll runtimes add {name} --from IMAGE (AWS's own base image, as a tar or a folder)",
            )
        if name not in SUPPORTED and name not in FROM_IMAGE:
            raise CallerError(f"{name} is not a runtime of AWS Lambda that Plimsoll knows; {known}")

    def get(self, name: str) -> Runtime:
        """One that can be run. Raises `CallerError` that lists what there is and how to add."""
        runtime = self._read_known(name)
        if runtime is None:
            raise self._missing(name)
        if runtime.has_system_files and not are_current(runtime.folder):
            self._refresh(runtime)
        return runtime

    def _refresh(self, runtime: Runtime) -> None:
        """The host's C library has been updated meanwhile. Raises `HostCannot`."""
        with locked(self._folder, f".{runtime.name}.lock"):
            try:
                copy_system_files(runtime.folder)
            except OSError as error:
                raise HostCannot(
                    f"the host's libraries cannot be copied to {runtime.folder}: {error}",
                    mend=f"plimsoll runtimes remove {runtime.name}, and add it again",
                ) from error

    def _read_known(self, name: str) -> Runtime | None:
        """An installed one, or a built-in one; None also for what is no runtime's name."""
        if name not in SUPPORTED and name not in FROM_IMAGE:
            return None
        return _read(self._folder / name) or self._built_in(name)

    def _built_in(self, name: str) -> Runtime | None:
        if name not in PROVIDED:
            return None
        return Runtime(Manifest(name, "provided", "", "", ""), self._folder / name)

    def _missing(self, name: str) -> CallerError:
        have = "this host has: " + (", ".join(r.name for r in self.installed()) or "none")
        try:
            self.check(name)
        except CallerError as error:
            mend = error.mend or "plimsoll runtimes add NAME installs a supported one"
            return CallerError(f"{error.message}; {have}", mend=mend)
        old = _manifest(self._folder / name)
        if old is not None and old.source:
            return CallerError(
                f"the runtime {name} was made from {old.source} with another version of AWS's client; {have}",
                mend=f"plimsoll runtimes add {name} --from {old.source}",
            )
        return CallerError(
            f"the runtime {name} is not installed; {have}", mend=f"plimsoll runtimes add {name}"
        )

    def add(self, name: str, on_progress: Callable[[str], None]) -> Runtime:
        """Installs one, or gives the one that is there. Raises `CallerError`, `HostCannot`."""
        self.check(name)
        if name in PROVIDED:
            return self.get(name)
        with locked(self._folder, f".{name}.lock"):
            runtime = _read(self._folder / name)
            if runtime is None:
                self._install(name, lambda making: self._fetch(name, making, on_progress))
                runtime = _read(self._folder / name)
        assert runtime is not None
        return runtime

    def add_from(self, name: str, source: Path, on_progress: Callable[[str], None]) -> Runtime:
        """Installs one from what the user names, in the place of one that is there.

        Raises `CallerError` naming what the source lacks, `HostCannot`.
        """
        self.check(name, from_source=True)
        with locked(self._folder, f".{name}.lock"):
            fill = given.install
            self._install(name, lambda making: fill(name, source, making, self._tools, on_progress))
            runtime = _read(self._folder / name)
        assert runtime is not None
        return runtime

    def remove(self, name: str) -> None:
        """Removes an installed one. Raises `CallerError` where it is not."""
        folder = self._folder / name
        if name in PROVIDED and _manifest(folder) is None:
            raise CallerError(f"{name} is built in: there is nothing to remove")
        if (name not in SUPPORTED and name not in FROM_IMAGE) or _manifest(folder) is None:
            raise self._missing(name)
        with locked(self._folder, f".{name}.lock"):
            shutil.rmtree(folder)

    def catalog(self) -> list[Offer]:
        """Every runtime that Plimsoll knows how to run: installed, to be had, or what is missing for it."""
        return [self._offer(name, self._read_known(name)) for name in (*SUPPORTED, *FROM_IMAGE)]

    def _offer(self, name: str, runtime: Runtime | None) -> Offer:
        if runtime is not None:
            manifest = runtime.manifest
            size = 0 if runtime.is_built_in else _size_bytes(runtime.folder)
            return Offer(name, "installed", manifest.version, size, manifest.source)
        add = f"plimsoll runtimes add {name}"
        series = name.removeprefix("python")
        if name in FROM_IMAGE:
            reason = f"AWS's own base image has {FROM_IMAGE[name]}"
            return Offer(name, "missing", reason=reason, mend=f"{add} --from IMAGE")
        old = _manifest(self._folder / name)
        if old is not None and old.source:
            reason = "made with another version of AWS's client"
            return Offer(name, "missing", reason=reason, mend=f"{add} --from {old.source}")
        if name in PYTHONS and python.find_python(series) is None:
            return Offer(
                name,
                "missing",
                reason=f"no Python {series} on this host",
                mend=f"install it, then {add}",
            )
        return Offer(name, "available", mend=add)

    def _fetch(self, name: str, making: Path, on_progress: Callable[[str], None]) -> Manifest:
        if name in NODE_CLIENTS:
            return nodejs.install(name, making, self._tools, on_progress)
        return python.install(name, making, on_progress)

    def _install(self, name: str, fill: Callable[[Path], Manifest]) -> None:
        making = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=self._folder))
        try:
            manifest = fill(making)
            if manifest.origin != "root":
                copy_system_files(making)
            (making / "manifest.json").write_text(manifest.to_json())
            making.chmod(0o755)
            shutil.rmtree(self._folder / name, ignore_errors=True)  # of another recipe, or source
            making.rename(self._folder / name)
        except OSError as error:
            raise HostCannot(
                f"{name} could not be installed under {self._folder}: {error}",
                mend="free some space there, or set PLIMSOLL_HOME",
            ) from error
        finally:
            shutil.rmtree(making, ignore_errors=True)


def _manifest(folder: Path) -> Manifest | None:
    """What the install in a folder says of itself; None where there is none that is whole."""
    try:
        return Manifest(**json.loads((folder / "manifest.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _read(folder: Path) -> Runtime | None:
    """The install in a folder; None where there is none, or one that another version of Plimsoll made."""
    manifest = _manifest(folder)
    if manifest is None:
        return None
    # one into which nothing of ours was put is nobody's to make anew
    ours = manifest.origin != "root" or bool(manifest.client)
    known = manifest.name in SUPPORTED or manifest.name in FROM_IMAGE
    if not known or (ours and manifest.recipe != recipe(manifest.name)):
        return None
    return Runtime(manifest, folder)


def _size_bytes(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
