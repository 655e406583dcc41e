"""Files of a root file system, looked at from outside."""

from __future__ import annotations

import platform
import struct
from typing import TYPE_CHECKING

import pytest

from plimsoll.runtimes.rooted import program_loader, resolve_in, why_unusable

if TYPE_CHECKING:
    from pathlib import Path

HERE = {"x86_64": 0x3E, "aarch64": 0xB7}[platform.machine()]


def elf(machine: int = HERE, loader: bytes = b"") -> bytes:
    """The head of a 64-bit program, with the loader that it names."""
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    count = 1 if loader else 0
    head = ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    entry = struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(loader), len(loader), 1)
    return head + entry + loader


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("usr/lib/x", "usr/lib/x"),
        ("/usr/./lib/../lib/x", "usr/lib/x"),
        ("absolute/x", "usr/lib/x"),
        ("relative/x", "usr/lib/x"),
        ("up/usr/lib/x", "usr/lib/x"),
        ("../../usr/lib/x", "usr/lib/x"),
        ("host", None),
        ("loop", None),
        ("usr/lib/x/y", None),
        ("gone", None),
        ("/", "."),
    ],
)
def test_resolve_in(tmp_path: Path, path: str, expected: str | None) -> None:
    """A link is followed as from inside: an absolute one from the root, one that leads up no further than it."""
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/x").touch()
    for name, target in {
        "absolute": "/usr/lib",
        "relative": "usr/lib",
        "up": "../../..",
        "host": "/etc/passwd",
        "loop": "loop",
    }.items():
        (tmp_path / name).symlink_to(target)
    assert resolve_in(tmp_path, path) == (None if expected is None else tmp_path / expected)


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (elf(), 0o755, None),
        (b"#!/bin/sh\n", 0o755, None),
        (b"#! /bin/sh -e\n", 0o755, None),
        (b"#!/bin/zsh\n", 0o755, "bin/p is a script for /bin/zsh, which is not there"),
        (b"#!\n", 0o755, "bin/p is a script for nothing, which is not there"),
        (elf(), 0o700, "bin/p is not executable for everybody (mode 0700)"),
        (elf(), 0o644, "bin/p is not executable for everybody (mode 0644)"),
        (elf(0x16), 0o755, f"bin/p is for machine 22, and this host is {platform.machine()}"),
        (b"echo", 0o755, "bin/p is neither an ELF program nor a script"),
        (b"\x7fELF", 0o755, "bin/p is neither an ELF program nor a script"),
        (None, 0, "bin/p is not there"),
    ],
)
def test_why_unusable(tmp_path: Path, content: bytes | None, mode: int, reason: str | None) -> None:
    """Missing, closed, of another machine, of no kind that the kernel starts: the reason is said."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").touch()
    if content is not None:
        (tmp_path / "bin/p").write_bytes(content)
        (tmp_path / "bin/p").chmod(mode)
    assert why_unusable(tmp_path, "bin/p") == reason


@pytest.mark.parametrize("loader", ["/lib/ld-musl-x86_64.so.1", ""])
def test_program_loader(tmp_path: Path, loader: str) -> None:
    """As the program itself names it; a static one names none."""
    (tmp_path / "p").write_bytes(elf(loader=loader.encode() + b"\0" if loader else b""))
    assert program_loader(tmp_path / "p") == loader
