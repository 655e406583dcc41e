"""Which layers an image in a folder is made of: the OCI layout, and what `docker save` writes.

Source of the forms: opencontainers/image-spec (image-layout, image-index, manifest, descriptor); moby's
image/tarexport.
Rule: nothing but files of the folder itself is read, each blob only if it is what its digest says.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from typing import TYPE_CHECKING, Any

from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from pathlib import Path

TOP_NAMES = re.compile(
    r"oci-layout|index\.json|manifest\.json|repositories|blobs|[0-9a-f]{64}(\.json|\.tar)?"
)
"""All that lies at the top of an image's tar, in either form."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_INDEX = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_REFERENCE = "vnd.docker.reference.type"
"""Annotation of a manifest that is no image: buildkit's attestations."""
_DEPTH_MAX = 4
_JSON_BYTES = 4 << 20


def is_image_layout(folder: Path) -> bool:
    """Whether a folder is an image in one of the two forms."""
    return (folder / "oci-layout").is_file() or _docker_images(folder) is not None


def layers_of(folder: Path, source: Path) -> list[Path]:
    """The layers' files, the lowest first, of the image for this host's architecture.

    Raises `CallerError`, which names `source`, for an image that is broken, for another machine, or not the only one.
    """
    if not (folder / "index.json").is_file():
        return _docker_layers(folder, source)
    index = _json(folder / "index.json", source)
    manifests = _for_this_host(folder, source, index)
    if not manifests:
        there = ", ".join(sorted(_platforms(folder, source, index))) or "none"
        raise CallerError(
            f"{source} has no image for {_this_host()}; it has: {there}",
            mend=f"export the image for linux/{_this_host()}",
        )
    if len(manifests) > 1:
        raise CallerError(
            f"{source} holds {len(manifests)} images for {_this_host()}: which is meant?",
            mend="export the one image alone",
        )
    (manifest,) = manifests.values()
    return [_blob(folder, source, layer) for layer in _members(manifest, "layers")]


def _for_this_host(folder: Path, source: Path, index: Any) -> dict[str, Any]:
    """Manifests by digest: the same image may stand there under several names."""
    found = {}
    for descriptor, manifest in _manifests(folder, source, index):
        if _platform(folder, source, descriptor, manifest) == f"linux/{_this_host()}":
            found[str(descriptor["digest"])] = manifest
    return found


def _platforms(folder: Path, source: Path, index: Any) -> set[str]:
    return {
        _platform(folder, source, descriptor, manifest)
        for descriptor, manifest in _manifests(folder, source, index)
    }


def _manifests(folder: Path, source: Path, index: Any, depth: int = 0) -> list[tuple[Any, Any]]:
    """All images of an index and of the indexes in it, with their descriptors."""
    found = []
    for descriptor in _members(index, "manifests"):
        if _REFERENCE in (descriptor.get("annotations") or {}):
            continue
        manifest = _json(_blob(folder, source, descriptor), source)
        nested = descriptor.get("mediaType") in _INDEX or "manifests" in manifest
        if not nested:
            found.append((descriptor, manifest))
        elif depth < _DEPTH_MAX:
            found += _manifests(folder, source, manifest, depth + 1)
    return found


def _platform(folder: Path, source: Path, descriptor: Any, manifest: Any) -> str:
    """As the descriptor says; where it is silent, as the image's own configuration does."""
    said = descriptor.get("platform")
    if not said:
        said = _json(_blob(folder, source, manifest.get("config")), source)
    return f"{said.get('os', 'linux')}/{said.get('architecture', '?')}"


def _docker_images(folder: Path) -> list[Any] | None:
    """The list in the `manifest.json` of `docker save`; None where there is none."""
    try:
        images = json.loads((folder / "manifest.json").read_bytes()[:_JSON_BYTES])
    except (OSError, ValueError):
        return None
    well_formed = isinstance(images, list) and all(
        isinstance(image, dict) and isinstance(image.get("Layers"), list) for image in images
    )
    return images if well_formed and images else None


def _docker_layers(folder: Path, source: Path) -> list[Path]:
    images = _docker_images(folder)
    if images is None:
        raise CallerError(f"{source} has neither an index.json nor a manifest.json of an image")
    if len(images) > 1:
        raise CallerError(
            f"{source} holds {len(images)} images: which is meant?", mend="save the one image alone"
        )
    config = _json(_file(folder, source, str(images[0].get("Config"))), source)
    if config.get("architecture") != _this_host():
        raise CallerError(
            f"{source} is an image for {config.get('architecture')}, and this host is {_this_host()}"
        )
    return [_file(folder, source, str(layer)) for layer in images[0]["Layers"]]


def _blob(folder: Path, source: Path, descriptor: Any) -> Path:
    """A blob's file, read through. Raises `CallerError` where it is missing or another one."""
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not re.fullmatch("sha256:[0-9a-f]{64}", digest):
        raise CallerError(f"{source} is broken: {digest!r} is no sha256 digest")
    file = _file(folder, source, f"blobs/{digest.replace(':', '/')}")
    with open(file, "rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != digest.removeprefix("sha256:"):
        raise CallerError(
            f"{source} is broken: its blob {digest} is not what its digest says",
            mend="export the image anew",
        )
    return file


def _file(folder: Path, source: Path, name: str) -> Path:
    """A file of the layout; `docker save` of old links a layer that it has twice."""
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise CallerError(f"{source} is broken: it has no file {name}")
    return file


def _json(file: Path, source: Path) -> Any:
    try:
        with open(file, "rb") as opened:
            content = json.loads(opened.read(_JSON_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise CallerError(f"{source} is broken: {file.name}: {error}") from error
    if not isinstance(content, dict):
        raise CallerError(f"{source} is broken: {file.name} is no JSON object")
    return content


def _members(manifest: Any, name: str) -> list[Any]:
    members = manifest.get(name)
    return [one for one in members if isinstance(one, dict)] if isinstance(members, list) else []


def _this_host() -> str:
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)
