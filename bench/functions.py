"""The functions that are timed, each a folder of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from plimsoll.model import Function

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
RUNTIMES = (PYTHON, "nodejs20.x", "nodejs22.x")
_HELLO = {
    "python": ("app.py", "def handler(event, context):\n    return {'ok': True}\n"),
    "nodejs": ("app.js", "exports.handler = async () => ({ ok: true });\n"),
}
_WRITER = """
import os, time

def handler(event, context):
    chunk = b"x" * (1 << 20)
    started = time.monotonic()
    with open("/tmp/written", "wb", buffering=0) as file:
        for _ in range(event["mib"]):
            file.write(chunk)
    seconds = time.monotonic() - started
    os.unlink("/tmp/written")
    return event["mib"] / seconds
"""
# the time at each MiB goes out at once: the last line stands within a MiB of the kill
_GROWER = """
import mmap, os, time

def handler(event, context):
    memory = mmap.mmap(-1, 300 << 20)
    for mib in range(300):
        memory[mib << 20 : (mib + 1) << 20] = b"x" * (1 << 20)
        os.write(1, b"%d\\n" % time.monotonic_ns())
"""


def hello(folder: Path, runtime: str, memory_mib: int = 256) -> Function:
    """Answers at once."""
    name, code = _HELLO["python" if runtime.startswith("python") else "nodejs"]
    return _function(folder / f"hello-{runtime}", name, code, runtime, memory_mib)


def writer(folder: Path) -> Function:
    """Writes `mib` MiB to /tmp, gives MiB per second, deletes."""
    return _function(folder / "writer", "app.py", _WRITER, PYTHON, 1024)


def grower(folder: Path) -> Function:
    """Takes memory until it is killed, logging the monotonic clock at each MiB."""
    return _function(folder / "grower", "app.py", _GROWER, PYTHON, 128)


def _function(folder: Path, name: str, code: str, runtime: str, memory_mib: int) -> Function:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(code)
    return Function(
        folder.name.replace(".", "-"), runtime, "app.handler", folder, memory_mib, timeout_s=30
    )
