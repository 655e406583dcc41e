"""Layers: up to five folders or zips, merged in their order; a later one overwrites (facts sheet E2, H2)."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from plimsoll.deployment.archive import UNZIPPED_LIMIT_BYTES, extract
from plimsoll.deployment.package import open_folders
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LAYERS_MAX = 5


def merge_layers(layers: Sequence[Path], code: Path, staging: Path) -> Path | None:
    """The merged folder that becomes /opt; None without layers.

    Raises `CallerError` for too many, a missing one, or more than 250 MB together with the code.
    """
    if not layers:
        return None
    if len(layers) > LAYERS_MAX:
        raise CallerError(f"Cannot reference more than {LAYERS_MAX} layers.")
    merged = staging / "opt"
    merged.mkdir(parents=True)
    left = UNZIPPED_LIMIT_BYTES - _size_bytes(code)
    for number, layer in enumerate(layers):
        source = layer
        if not layer.exists():
            raise CallerError(f"the layer {layer} does not exist; a layer is a folder or a zip")
        if not layer.is_file() and not layer.is_dir():
            raise CallerError(f"the layer {layer} is neither a folder nor a zip")
        if layer.is_file():
            source = staging / f"layer-{number}"
            extract(layer, source, limit_bytes=max(0, left))
        left -= _size_bytes(source)
        if left < 0:
            raise CallerError(
                f"Unzipped size must be smaller than {UNZIPPED_LIMIT_BYTES} bytes (code and layers)"
            )
        _make_way(source, merged)
        shutil.copytree(source, merged, symlinks=True, dirs_exist_ok=True)
    open_folders(merged)
    return merged


def _make_way(source: Path, merged: Path) -> None:
    """Takes away what `source` overwrites: a copy onto a link would be written to where that leads."""
    for path in source.rglob("*"):
        there = merged / path.relative_to(source)
        if there.is_symlink() or there.is_file():
            there.unlink()
        elif there.is_dir() and (path.is_symlink() or not path.is_dir()):
            shutil.rmtree(there)


def _size_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
