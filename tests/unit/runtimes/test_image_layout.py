"""Images in folders: the OCI layout and `docker save`'s."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, Any

import pytest

from plimsoll.errors import CallerError
from plimsoll.runtimes.image_layout import ARCHITECTURES, TOP_NAMES, is_image_layout, layers_of
from tests.archives import write_oci_layout

if TYPE_CHECKING:
    from pathlib import Path

HERE = ARCHITECTURES[platform.machine()]


def refusal(folder: Path) -> tuple[str, str | None]:
    """Message and mend."""
    with pytest.raises(CallerError) as caught:
        layers_of(folder, folder / "given")
    return caught.value.message.removeprefix(f"{folder}/given "), caught.value.mend


def docker(
    folder: Path, architecture: str = HERE, layers: tuple[str, ...] = ("a/layer.tar",)
) -> list[Any]:
    """What `docker save` writes for one image; gives the list of images."""
    (folder / "a").mkdir()
    (folder / "a/layer.tar").write_bytes(b"layer")
    (folder / "c.json").write_text(json.dumps({"architecture": architecture}))
    images = [{"Config": "c.json", "RepoTags": None, "Layers": list(layers)}]
    (folder / "manifest.json").write_text(json.dumps(images))
    return images


def test_oci(tmp_path: Path) -> None:
    """The image for this host out of an index of several, its layers in their order."""
    write_oci_layout(tmp_path, b"lower", b"upper")
    assert is_image_layout(tmp_path)
    assert [file.read_bytes() for file in layers_of(tmp_path, tmp_path)] == [b"lower", b"upper"]


def test_no_image_for_this_host(tmp_path: Path) -> None:
    """The refusal says for which there is one, and for which it must be."""
    write_oci_layout(tmp_path, b"layer", architecture="riscv64")
    assert refusal(tmp_path) == (
        f"has no image for {HERE}; it has: linux/riscv64, linux/s390x",
        f"export the image for linux/{HERE}",
    )


def test_a_blob_that_was_changed(tmp_path: Path) -> None:
    """Nothing is unpacked that is not what its digest says."""
    write_oci_layout(tmp_path, b"layer")
    (digest,) = [p for p in (tmp_path / "blobs/sha256").iterdir() if p.read_bytes() == b"layer"]
    digest.write_bytes(b"other")
    assert refusal(tmp_path) == (
        f"is broken: its blob sha256:{digest.name} is not what its digest says",
        "export the image anew",
    )


def test_a_blob_that_is_missing(tmp_path: Path) -> None:
    """As when a copy broke off."""
    write_oci_layout(tmp_path, b"layer")
    (digest,) = [p for p in (tmp_path / "blobs/sha256").iterdir() if p.read_bytes() == b"layer"]
    digest.unlink()
    assert refusal(tmp_path) == (f"is broken: it has no file blobs/sha256/{digest.name}", None)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "is broken: index.json: "),
        ("[]", "is broken: index.json is no JSON object"),
        ("{}", f"has no image for {HERE}; it has: none"),
        ('{"manifests": [{"digest": "sha256:../../x"}]}', "is broken: 'sha256:../../x' is no sha256 digest"),
        ('{"manifests": [{}]}', "is broken: None is no sha256 digest"),
    ],
)  # fmt: skip
def test_a_broken_index(tmp_path: Path, index: str, message: str) -> None:
    """Text of any kind is refused, not stumbled over."""
    write_oci_layout(tmp_path, b"layer")
    (tmp_path / "index.json").write_text(index)
    assert refusal(tmp_path)[0].startswith(message)


def test_docker_save(tmp_path: Path) -> None:
    """Layers by the manifest; a link to another layer of the same image is one."""
    docker(tmp_path, layers=("a/layer.tar", "b/layer.tar"))
    (tmp_path / "b").mkdir()
    (tmp_path / "b/layer.tar").symlink_to("../a/layer.tar")
    assert is_image_layout(tmp_path)
    assert layers_of(tmp_path, tmp_path) == [tmp_path / "a/layer.tar"] * 2


def test_docker_save_of_several(tmp_path: Path) -> None:
    """Which one is meant cannot be told."""
    images = docker(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps(images * 2))
    assert refusal(tmp_path) == ("holds 2 images: which is meant?", "save the one image alone")


def test_docker_save_for_another_machine(tmp_path: Path) -> None:
    """Told by its configuration."""
    docker(tmp_path, "riscv64")
    assert refusal(tmp_path)[0] == f"is an image for riscv64, and this host is {HERE}"


@pytest.mark.parametrize("layer", ["/etc/passwd", "../outside", "link", "gone"])
def test_files_of_the_host_are_no_layers(tmp_path: Path, layer: str) -> None:
    """An image's own words cannot name a file beside it."""
    folder = tmp_path / "image"
    folder.mkdir()
    (tmp_path / "outside").touch()
    (folder / "link").symlink_to("../outside")
    docker(folder, layers=(layer,))
    assert refusal(folder)[0] == f"is broken: it has no file {layer}"


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '[{"Layers": 1}]', '{"name": "my-app"}'])
def test_folders_that_are_none(tmp_path: Path, text: str | None) -> None:
    """A `manifest.json` alone makes no image."""
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    assert not is_image_layout(tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("oci-layout", "blobs", "repositories", "0" * 64, f"{'a' * 64}.json")),
        *((name, False) for name in ("usr", "bin", ".dockerenv", "blobs2", "0" * 63)),
    ],
)  # fmt: skip
def test_top_names(name: str, expected: bool) -> None:
    """What lies at the top of an image's tar, and of no file system's."""
    assert (TOP_NAMES.fullmatch(name) is not None) is expected
