"""What an install depends on beside the packages it fetches: the client's version and our own files inside the box.

Rule: it changes exactly when an installed runtime must be made anew; `RuntimeStore` treats an install of another
recipe as not there.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from plimsoll.runtimes.catalog import NODE_CLIENTS, PYTHON_CLIENT

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_LAYOUT = b"lang runtime system"
"""What an install consists of; another one here, and all installs are made anew."""


def recipe(name: str) -> str:
    """16 hex digits for one of the supported runtimes."""
    language = "nodejs" if name in NODE_CLIENTS else "python"
    digest = hashlib.sha256(_LAYOUT + NODE_CLIENTS.get(name, PYTHON_CLIENT).encode())
    for file in inside_files(language):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def inside_files(language: str) -> list[Traversable]:
    """Our own files for /var/runtime, by name."""
    folder = resources.files("plimsoll.runtimes") / "inside" / language
    return sorted((file for file in folder.iterdir() if file.is_file()), key=lambda file: file.name)
