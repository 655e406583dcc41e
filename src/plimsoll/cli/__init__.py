"""The command line: parse, call, print, exit. Everything else is importable."""

from plimsoll.cli.main import main

__all__ = ["main"]
