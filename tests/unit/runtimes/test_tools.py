"""What a package manager has fetched is unpacked by name and bytes only."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from plimsoll.runtimes.tools import _unpack

if TYPE_CHECKING:
    from pathlib import Path


def test_regular_files_only(tmp_path: Path) -> None:
    """Files land below the folder; links, absolute names and names that lead out are left out."""
    with tarfile.open(tmp_path / "p.tgz", "w:gz") as archive:
        for name in ("package/bin/node", "../out", "package/../../out", "/tmp/out"):
            member = tarfile.TarInfo(name)
            member.size = 2
            archive.addfile(member, io.BytesIO(b"ok"))
        link = tarfile.TarInfo("package/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    into = tmp_path / "into"
    _unpack(tmp_path / "p.tgz", into)
    files = [path for path in tmp_path.rglob("*") if not path.is_dir()]
    assert sorted(files) == [into / "package/bin/node", tmp_path / "p.tgz"]
    assert (into / "package/bin/node").read_bytes() == b"ok"
