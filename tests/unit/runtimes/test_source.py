"""What `--from` takes, told apart."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import CallerError
from plimsoll.runtimes.source import unpack_source
from tests.archives import members_tar, write_docker_save, write_oci_layout, write_tar

if TYPE_CHECKING:
    from pathlib import Path

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which makes another root")
ROOT = (("usr/bin/x", b"text"), ("dev/fifo", b"", {"type": b"6"}))
FOLDER = (("bin/x", b"text"),)
ONE_DOWN = (("node-v22/bin/x", b"text"),)


def unpacked(source: Path) -> tuple[str, str, list[str]]:
    """Kind, where in what was made it lies, and the steps told beside the first."""
    making = source.parent / "making"
    making.mkdir()
    steps: list[str] = []
    found = unpack_source(source, making, steps.append)
    assert steps.pop(0) == f"unpacking {source}"
    place = "usr/bin/x" if found.kind == "root" else "bin/x"
    assert (found.tree / place).read_text() == "text"
    assert [path.name for path in making.iterdir()] == ["unpacked"]
    return found.kind, str(found.tree.relative_to(making)), steps


@needs_root
@pytest.mark.parametrize("form", ["tar", "OCI folder", "OCI tar", "docker save"])
def test_a_root_file_system(tmp_path: Path, form: str) -> None:
    """In each form that other tools write; what was left out is told."""
    source = tmp_path / "source"
    packed = members_tar(*ROOT)
    if form == "tar":
        source.write_bytes(packed)
    elif form == "docker save":
        write_docker_save(source, packed)
    else:
        write_oci_layout(tmp_path / "layout", packed)
        source = (
            tmp_path / "layout" if form == "OCI folder" else write_tar(source, tmp_path / "layout")
        )
    told = ["1 device nodes and fifos left out: a box has its own /dev"]
    assert unpacked(source) == ("root", "unpacked", told)


@needs_root
@pytest.mark.parametrize(
    ("members", "place"), [(FOLDER, "unpacked"), (ONE_DOWN, "unpacked/node-v22")]
)
def test_a_languages_tar(
    tmp_path: Path, members: tuple[tuple[str, bytes], ...], place: str
) -> None:
    """With its folders at the top, or all of it in one folder, as Node's own are made."""
    (tmp_path / "source").write_bytes(members_tar(*members))
    assert unpacked(tmp_path / "source") == ("folder", place, [])


def test_a_languages_folder(tmp_path: Path) -> None:
    """It needs no root, and is readable by all and set-user-id for nobody afterwards."""
    binary = tmp_path / "source/bin/x"
    binary.parent.mkdir(parents=True, mode=0o700)
    binary.write_text("text")
    binary.chmod(0o4700)
    assert unpacked(tmp_path / "source") == ("folder", "unpacked", [])
    assert (tmp_path / "making/unpacked/bin/x").stat().st_mode & 0o7777 == 0o755


def test_a_fifo(tmp_path: Path) -> None:
    """It would be waited for."""
    os.mkfifo(tmp_path / "source")
    with pytest.raises(CallerError, match="is neither a file nor a folder"):
        unpacked(tmp_path / "source")
