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
    from plimsoll.model.memory import Accounting
    from plimsoll.runtimes import Runtime


@dataclass(frozen=True, slots=True)
class Housing:
    """See the module; the members are `BoxSpec`'s."""

    accounting: Accounting
    binds: tuple[tuple[str, str], ...] = ()
    images: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    tmp_disk: int | None = None
    """A descriptor that whoever builds the environment with it closes."""
    tmp_folder: Path | None = None
    """Where the file of `tmp_disk` lies on the host."""


def shared_housing(function: Function, runtime: Runtime) -> Housing:
    """The folders themselves."""
    binds = (
        (str(runtime.lang_dir), "/var/lang"),
        (str(runtime.runtime_dir), "/var/runtime"),
        (str(function.code_root), "/var/task"),
        *((str(layer), "/opt") for layer in function.layers),
    )
    return Housing("shared", binds=binds)


def runtime_image(runtime: Runtime, images: ImageStore) -> Path:
    """The image of a runtime, made if need be: blocks. Raises `HostCannot`."""
    return images.of_runtime(runtime.image_key, runtime.folder)


def exact_housing(function: Function, runtime: Runtime, images: ImageStore) -> Housing:
    """An image each of the runtime, the code and the layers, made if need be: blocks. Raises `HostCannot`."""
    shown = [(str(runtime_image(runtime, images)), runtime.shown)]
    for folder, target in (
        (function.code_root, "/var/task"),
        *((layer, "/opt") for layer in function.layers),
    ):
        shown.append((str(images.of_code(folder)), ((".", target),)))
    return Housing("exact", images=tuple(shown))
