"""Archives and images as other tools write them, made by the tests themselves."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
_FILE = tarfile.REGTYPE


def write_tar(path: Path, root: Path, **more: bytes) -> Path:
    """As `docker export` does; compressed where its ending says so. `more`: members by name, `__` for `/`."""
    quickly: Any = {"mode": "w:gz", "compresslevel": 1} if path.suffix == ".gz" else {"mode": "w"}
    with tarfile.open(path, **quickly) as archive:
        for child in sorted(root.iterdir()):
            archive.add(child, arcname=child.name)
        for name, content in more.items():
            add_file(archive, name.replace("__", "/"), content)
    return path


def add_file(archive: tarfile.TarFile, name: str, content: bytes = b"", **changed: Any) -> None:
    """One member; a regular file unless `changed` says otherwise."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o644
    for field, value in changed.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(content) if member.type == _FILE else None)


def members_tar(*members: tuple[Any, ...]) -> bytes:
    """A small tar: names, contents, and what is special about them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content, *rest in members:
            add_file(archive, name, content, **dict(*rest))
    return packed.getvalue()


def write_oci_layout(folder: Path, *layers: bytes, architecture: str = _ARCHITECTURE) -> Path:
    """An image for one architecture, with an index of two platforms around it, as buildx writes one."""
    (folder / "blobs/sha256").mkdir(parents=True)

    def blob(content: bytes, kind: str, **more: Any) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (folder / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content), **more}

    def document(value: object, kind: str, **more: Any) -> dict[str, Any]:
        kind = f"application/vnd.oci.image.{kind}.v1+json"
        return blob(json.dumps(value).encode(), kind, **more)

    images = []
    for machine in ("s390x", architecture):
        packed = [blob(layer, _layer_kind(layer)) for layer in layers]
        config = document({"architecture": machine, "os": "linux"}, "config")
        manifest = {"schemaVersion": 2, "config": config, "layers": packed}
        on = {"architecture": machine, "os": "linux"}
        images.append(document(manifest, "manifest", platform=on))
    index = document({"schemaVersion": 2, "manifests": images}, "index")
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def _layer_kind(layer: bytes) -> str:
    packed = "+gzip" if layer.startswith(b"\x1f\x8b") else ""
    return f"application/vnd.oci.image.layer.v1.tar{packed}"


def write_docker_save(path: Path, *layers: bytes) -> Path:
    """As `docker save` wrote it before version 25: a folder and a `layer.tar` for each layer."""
    with tarfile.open(path, "w") as archive:
        names = []
        for layer in layers:
            names.append(f"{hashlib.sha256(layer).hexdigest()}/layer.tar")
            add_file(archive, names[-1], layer)
        config = json.dumps({"architecture": _ARCHITECTURE, "os": "linux"}).encode()
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        add_file(archive, name, config)
        image = {"Config": name, "RepoTags": ["lambda:latest"], "Layers": names}
        add_file(archive, "manifest.json", json.dumps([image]).encode())
    return path


def zipped(content: bytes) -> bytes:
    """With gzip, quickly."""
    return gzip.compress(content, 1)
