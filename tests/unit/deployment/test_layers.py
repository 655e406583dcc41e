"""Layers are merged in their order; a later one overwrites."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from plimsoll.deployment import layers as layers_module
from plimsoll.deployment import merge_layers
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """The function's code: ten bytes."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "index.js").write_bytes(b"0123456789")
    return folder


def layer(tmp_path: Path, name: str, **files: str) -> Path:
    """A layer's folder; `__` in a name is a folder's slash."""
    folder = tmp_path / name
    folder.mkdir()
    for file, text in files.items():
        path = folder / file.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


def content(folder: Path | None) -> dict[str, str]:
    """The files under a folder and their text."""
    assert folder is not None
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_none(tmp_path: Path, code: Path) -> None:
    """Without layers there is no /opt to mount, and nothing is made."""
    assert merge_layers([], code, tmp_path / "staging") is None
    assert not (tmp_path / "staging").exists()


def test_a_later_one_overwrites(tmp_path: Path, code: Path) -> None:
    """Folders and zips are laid over each other in the order in which they are named."""
    first = layer(tmp_path, "first", python__a="1", python__b="1")
    with zipfile.ZipFile(tmp_path / "second.zip", "w") as opened:
        opened.writestr("python/b", "2")
        opened.writestr("bin/c", "2")
    merged = merge_layers([first, tmp_path / "second.zip"], code, tmp_path / "staging")
    assert content(merged) == {"python/a": "1", "python/b": "2", "bin/c": "2"}


def test_folders_let_the_function_in(tmp_path: Path, code: Path) -> None:
    """Folders of a layer are opened for the function's user, at every depth; files keep their modes."""
    first = layer(tmp_path, "first", python__a="1")
    (first / "python/deep").mkdir(mode=0o700)
    (first / "python/a").chmod(0o640)
    for folder in (first / "python", first):
        folder.chmod(0o700)
    merged = merge_layers([first], code, tmp_path / "staging")
    assert merged is not None
    names = (".", "python", "python/deep", "python/a")
    modes = [(merged / name).stat().st_mode & 0o777 for name in names]
    assert modes == [0o755, 0o755, 0o755, 0o640]


def test_the_same_link_twice(tmp_path: Path, code: Path) -> None:
    """Two layers may have the same link; the later one's counts."""
    links = [layer(tmp_path, name, old="1", new="2") for name in ("first", "second")]
    (links[0] / "lib").symlink_to("old")
    (links[1] / "lib").symlink_to("new")
    merged = merge_layers(links, code, tmp_path / "staging")
    assert content(merged) == {"old": "1", "new": "2", "lib": "2"}


def test_a_file_over_a_link(tmp_path: Path, code: Path) -> None:
    """A file takes a link's place, and what the link leads to, on the host even, stays untouched."""
    outside = tmp_path / "outside"
    outside.write_text("mine")
    first = layer(tmp_path, "first")
    (first / "x").symlink_to(outside)
    merged = merge_layers([first, layer(tmp_path, "second", x="2")], code, tmp_path / "staging")
    assert (content(merged), outside.read_text()) == ({"x": "2"}, "mine")


@pytest.mark.parametrize(
    ("first", "second"),
    [({"x__y": "1"}, {"x": "2"}), ({"x": "1"}, {"x__y": "2"})],
    ids=["file-over-folder", "folder-over-file"],
)
def test_kinds_that_differ(
    tmp_path: Path, code: Path, first: dict[str, str], second: dict[str, str]
) -> None:
    """A file takes a folder's place, and a folder a file's."""
    both = [layer(tmp_path, "first", **first), layer(tmp_path, "second", **second)]
    expected = {name.replace("__", "/"): text for name, text in second.items()}
    assert expected == content(merge_layers(both, code, tmp_path / "staging"))


def test_at_most_five(tmp_path: Path, code: Path) -> None:
    """Five layers are taken, the sixth is refused in AWS's words."""
    six = [layer(tmp_path, f"l{number}", **{f"f{number}": ""}) for number in range(6)]
    merged = merge_layers(six[:5], code, tmp_path / "staging")
    assert sorted(content(merged)) == ["f0", "f1", "f2", "f3", "f4"]
    with pytest.raises(CallerError) as caught:
        merge_layers(six, code, tmp_path / "again")
    assert caught.value.message == "Cannot reference more than 5 layers."


def test_missing(tmp_path: Path, code: Path) -> None:
    """A layer that does not exist is named."""
    with pytest.raises(CallerError) as caught:
        merge_layers([tmp_path / "no"], code, tmp_path / "staging")
    assert caught.value.message == (
        f"the layer {tmp_path}/no does not exist; a layer is a folder or a zip"
    )


def test_special_file(tmp_path: Path, code: Path) -> None:
    """A fifo is not waited for."""
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(CallerError) as caught:
        merge_layers([tmp_path / "fifo"], code, tmp_path / "staging")
    assert caught.value.message == f"the layer {tmp_path}/fifo is neither a folder nor a zip"


@pytest.mark.parametrize("over", [0, 1])
def test_size_with_the_code(
    tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch, over: int
) -> None:
    """Code and layers together fill the limit, and not a byte more."""
    monkeypatch.setattr(layers_module, "UNZIPPED_LIMIT_BYTES", 20 - over)
    both = [layer(tmp_path, "a", a="12345"), layer(tmp_path, "b", b="67890")]
    if over:
        with pytest.raises(CallerError) as caught:
            merge_layers(both, code, tmp_path / "staging")
        assert caught.value.message == (
            "Unzipped size must be smaller than 19 bytes (code and layers)"
        )
    else:
        merged = merge_layers(both, code, tmp_path / "staging")
        assert content(merged) == {"a": "12345", "b": "67890"}
