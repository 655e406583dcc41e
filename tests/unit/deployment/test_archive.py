"""A zip that nobody vouches for: unpacked inside its folder, or refused whole."""

from __future__ import annotations

import errno
import io
import os
import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.deployment import archive, extract
from plimsoll.errors import CallerError, HostCannot

PARTS = st.sampled_from(["..", ".", "", "a", "b", "C:", "é", "a\\b", "x" * 300, "-", "\n"])
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join).filter(bool)
KINDS = st.sampled_from([stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO, 0])
ENTRIES = st.lists(st.tuples(NAMES, KINDS, NAMES), max_size=5)


def write_zip(path: Path, *entries: tuple[str, int, bytes]) -> Path:
    """A zip with these names, modes and contents."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, mode, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16 | 0x20  # Windows sets the last alone
            opened.writestr(entry, content)
    return path


def refusal(path: Path) -> str:
    """What `extract` says against a zip, having left nothing behind."""
    into = path.parent / "out"
    with pytest.raises(CallerError) as caught:
        extract(path, into)
    assert not into.exists()
    return caught.value.message


def test_files_folders_links_and_modes(tmp_path: Path) -> None:
    """What is unpacked is what was packed, with its modes; the bytes are counted."""
    packed = write_zip(
        tmp_path / "f.zip",
        ("lib/", stat.S_IFDIR | 0o755, b""),
        ("lib/run", stat.S_IFREG | 0o755, b"12345"),
        ("lib/alias", stat.S_IFLNK | 0o777, b"run"),
        ("index.js", stat.S_IFREG | 0o640, b"678"),
        ("windows.js", 0, b"9"),
    )
    out = tmp_path / "out"
    assert extract(packed, out) == 9
    files = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert files == {
        "lib/run": b"12345",
        "lib/alias": b"12345",
        "index.js": b"678",
        "windows.js": b"9",
    }
    modes = [(out / name).stat().st_mode & 0o777 for name in ("lib/run", "index.js", "windows.js")]
    assert (modes, os.readlink(out / "lib/alias")) == ([0o755, 0o640, 0o644], "run")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../evil", "'../evil'"),
        ("a/../../evil", "'a/../../evil'"),
        ("/etc/evil", "'/etc/evil'"),
        ("a\\..\\evil", "'a\\\\..\\\\evil'"),
        ("C:/evil", "'C:/evil'"),
    ],
)
def test_names_that_lead_out(tmp_path: Path, name: str, shown: str) -> None:
    """A name that leads out, or might on some system, is refused with the way to make a better zip."""
    packed = write_zip(tmp_path / "f.zip", ("good", 0, b""), (name, 0, b""))
    assert refusal(packed) == (
        f"the zip's entry {shown} leads out of the package; make the zip from inside its folder"
    )


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ([("l", "/etc/passwd")], "the zip's link l -> /etc/passwd leads out of the package"),
        ([("l", "..")], "the zip's link l -> .. leads out of the package"),
        ([("d/l", "../../x")], "the zip's link d/l -> ../../x leads out of the package"),
        ([("d/l", ".."), ("m", "d/l/..")], "the zip's link m -> d/l/.. leads out of the package"),
        ([("m", "d/l/.."), ("d/l", "..")], "the zip's link m -> d/l/.. leads out of the package"),
    ],
)
def test_links_that_lead_out(tmp_path: Path, links: list[tuple[str, str]], message: str) -> None:
    """A link may not leave the package, neither alone nor by way of another, in whatever order they come."""
    entries = [(name, stat.S_IFLNK | 0o777, to.encode()) for name, to in links]
    assert message == refusal(write_zip(tmp_path / "f.zip", *entries))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("a", 0, b""), ("a", 0, b"")], "the zip has two entries for a"),
        ([("a", 0, b""), ("a/", stat.S_IFDIR, b"")], "the zip has two entries for a/"),
        ([("a/", stat.S_IFDIR, b""), ("a", 0, b"")], "the zip has two entries for a"),
        ([("l", stat.S_IFLNK, b"a"), ("l", 0, b"")], "the zip has two entries for l"),
        ([(".", 0, b"")], "the zip has two entries for ."),
        (
            [("d/", stat.S_IFDIR, b""), ("l", stat.S_IFLNK, b"d"), ("l/x", 0, b"")],
            "the zip's entry l/x lies below another that is no folder",
        ),
        (
            [("a", 0, b""), ("a/b/c", 0, b"")],
            "the zip's entry a/b/c lies below another that is no folder",
        ),
        (
            [("pipe", stat.S_IFIFO, b"")],
            "the zip's entry pipe is a special file; a package has files, folders and links",
        ),
        ([("l", stat.S_IFLNK, b"x" * 4097)], "the zip's link l is longer than a path can be"),
    ],
)
def test_entries_at_odds(
    tmp_path: Path, entries: list[tuple[str, int, bytes]], message: str
) -> None:
    """Two entries in one place, one below a file or link, and what is neither file, folder nor link."""
    assert message == refusal(write_zip(tmp_path / "f.zip", *entries))


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "File is not a zip file"), (b"PK\x03\x04 and then nothing", "File is not a zip file")],
)
def test_no_zip(tmp_path: Path, content: bytes, why: str) -> None:
    """What is no zip is refused in AWS's words, with the file's name and the reason."""
    (tmp_path / "f.zip").write_bytes(content)
    assert refusal(tmp_path / "f.zip") == (
        f"{tmp_path}/f.zip: Could not unzip uploaded file. Please check your file, then try to upload again. ({why})"
    )


def test_size_limit(tmp_path: Path) -> None:
    """Bytes are counted as they come, over all entries; the limit itself still fits."""
    packed = write_zip(tmp_path / "f.zip", ("a", 0, b"x" * 600), ("b", 0, b"x" * 400))
    assert extract(packed, tmp_path / "fits", limit_bytes=1000) == 1000
    with pytest.raises(CallerError) as caught:
        extract(packed, tmp_path / "out", limit_bytes=999)
    assert caught.value.message == "Unzipped size must be smaller than 262144000 bytes"
    assert not (tmp_path / "out").exists()


def test_entries_limit(tmp_path: Path) -> None:
    """Too many entries are refused before one is written."""
    packed = write_zip(tmp_path / "f.zip", ("a", 0, b""), ("b", 0, b""))
    assert extract(packed, tmp_path / "fits", entries_max=2) == 0
    with pytest.raises(CallerError) as caught:
        extract(packed, tmp_path / "out", entries_max=1)
    assert caught.value.message == "the zip has 2 entries; at most 1 are unpacked"


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full is the host's fault, not the zip's, and leaves nothing behind either."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    packed = write_zip(tmp_path / "f.zip", ("a", 0, b"x"))
    monkeypatch.setattr(archive, "_file", full)
    with pytest.raises(HostCannot) as caught:
        extract(packed, tmp_path / "out")
    expected = (
        f"{packed} cannot be unpacked into {tmp_path}/out: No space left on device",
        "free some space there",
    )
    assert expected == (caught.value.message, caught.value.mend)
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@given(ENTRIES)
def test_nothing_escapes(entries: list[tuple[str, int, str]]) -> None:
    """Whatever names, kinds and links a zip has, nothing lies or leads outside of the folder afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "around").resolve()
        root.mkdir()
        packed = write_zip(
            Path(folder, "f.zip"),
            *((name, kind | 0o644, to.encode()) for name, kind, to in entries),
        )
        try:
            extract(packed, root / "out")
        except CallerError:
            assert list(root.iterdir()) == []
            return
        assert [path.name for path in root.iterdir()] == ["out"]
        for path in (root / "out").rglob("*"):
            assert Path(os.path.realpath(path)).is_relative_to(root / "out")


@given(
    st.lists(
        st.tuples(st.integers(min_value=0), st.integers(min_value=0, max_value=255)), min_size=1
    ),
    st.sampled_from(
        [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    ),
)
def test_damaged_bytes(damage: list[tuple[int, int]], method: int) -> None:
    """A damaged zip is unpacked or refused; no other error reaches the caller."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as opened:
        opened.writestr("é.py", "x" * 40)
        opened.writestr("d/a.js", "y" * 40)
    data = bytearray(buffer.getvalue())
    for place, value in damage:
        data[place % len(data)] = value
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "f.zip").write_bytes(data)
        try:
            unpacked = extract(Path(folder, "f.zip"), Path(folder, "out"))
        except CallerError:
            assert not Path(folder, "out").exists()
        else:
            files = [path for path in Path(folder, "out").rglob("*") if path.is_file()]
            assert unpacked == sum(path.stat().st_size for path in files)
