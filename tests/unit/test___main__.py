"""The console script's entry: signals as they must be before and while Plimsoll is loaded."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# a package in the place of `plimsoll.cli` tells what it finds while it is loaded, and what main does
CLI = """
import signal
def tell(when):
    print(when, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGCHLD))
tell("loading")
def main():
    tell("running")
"""
DEFAULT, IGNORED = f"{signal.SIG_DFL}", f"{signal.SIG_IGN}"


def run_with(cli: str, folder: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """The entry with this text as `plimsoll.cli`, in a process where `before` was run."""
    (folder / "cli.py").write_text(cli)
    program = (
        "import sys, importlib.util, plimsoll.__main__ as entry\n"
        f"{before}\n"
        f"spec = importlib.util.spec_from_file_location('plimsoll.cli', {str(folder / 'cli.py')!r})\n"
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        return spec if name == 'plimsoll.cli' else None\n"
        "sys.meta_path.insert(0, Finder())\n"
        "entry.main()\n"
    )
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def told(text: str) -> list[str]:
    """The lines without the addresses of functions."""
    return [
        line.replace("<built-in function default_int_handler>", "python")
        for line in text.splitlines()
    ]


def test_interrupts_kill_until_plimsoll_is_loaded(tmp_path: Path) -> None:
    """While modules are loaded Ctrl-C has the kernel's own effect; then Python's handler is back."""
    done = run_with(CLI, tmp_path)
    assert done.stderr == ""
    assert told(done.stdout) == [f"loading {DEFAULT} {DEFAULT}", f"running python {DEFAULT}"]


def test_interrupted_while_loading(tmp_path: Path) -> None:
    """Killed by the signal itself, without a traceback."""
    done = run_with("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", tmp_path)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


@pytest.mark.parametrize(
    ("name", "line"),
    [("SIGINT", f"running {IGNORED} {DEFAULT}"), ("SIGCHLD", f"running python {DEFAULT}")],
)
def test_what_the_parent_ignored(tmp_path: Path, name: str, line: str) -> None:
    """An ignored interrupt stays ignored, as in a job in the background; ignored ends of children would be waited
    for without an end, so they are heard again."""
    before = f"import signal; signal.signal(signal.{name}, signal.SIG_IGN)"
    assert told(run_with(CLI, tmp_path, before).stdout)[1] == line


def test_as_a_module() -> None:
    """`python -m plimsoll` is the same program, under its own name."""
    command = [sys.executable, "-m", "plimsoll", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        "Usage: plimsoll [OPTIONS] COMMAND [ARGS]...",
    )
