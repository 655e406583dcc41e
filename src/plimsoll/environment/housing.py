"""What the file systems of one environment are made of, and so whose their pages are: the two accountings.

Rule: `exact` gives each environment a superblock of its own for everything that its function reads; `shared` shows
it the host's folders, and the meter corrects for the pages that somebody else paid for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from plimsoll.images import ImageStore
    from plimsoll.model import Function
    from plimsoll.model.memory import Accounting, Touched
    from plimsoll.runtimes import Runtime


@dataclass(frozen=True, slots=True)
class Housing:
    """See the module; the members are `BoxSpec`'s."""

    accounting: Accounting
    binds: tuple[tuple[str, str], ...] = ()
    images: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    root: tuple[str | None, str] | None = None
    read_ahead: Touched = ()
    tmp_disk: int | None = None
    """A descriptor that whoever builds the environment with it closes."""
    tmp_folder: Path | None = None
    """Where the file of `tmp_disk` lies on the host."""


def shared_housing(function: Function, runtime: Runtime) -> Housing:
    """The folders themselves."""
    binds = (
        *((str(runtime.folder / folder), target) for folder, target in runtime.folders),
        (str(function.code_root), "/var/task"),
        *((str(layer), "/opt") for layer in function.layers),
    )
    root = (None, str(runtime.folder / "root")) if runtime.has_root else None
    return Housing("shared", binds=binds, root=root)


def runtime_image(runtime: Runtime, images: ImageStore) -> Path:
    """The image of a runtime, made if need be: blocks. Raises `HostCannot`."""
    return images.of_runtime(runtime.image_key, runtime.folder)


def exact_housing(function: Function, runtime: Runtime, images: ImageStore) -> Housing:
    """An image each of the runtime, the code and the layers, made if need be: blocks. Raises `HostCannot`."""
    shown: list[tuple[str, tuple[tuple[str, str], ...]]] = []
    root = None
    if not runtime.is_built_in:
        image = str(runtime_image(runtime, images))
        root = (image, "root") if runtime.has_root else None
        shown += [(image, runtime.shown)] if runtime.shown else []
    for folder, target in (
        (function.code_root, "/var/task"),
        *((layer, "/opt") for layer in function.layers),
    ):
        shown.append((str(images.of_code(folder)), ((".", target),)))
    return Housing("exact", images=tuple(shown), root=root)
