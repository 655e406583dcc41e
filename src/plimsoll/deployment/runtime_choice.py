"""Which runtime: the one asked for, else the newest installed one that suits the code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from plimsoll.deployment.exports import looks_callback_style
from plimsoll.deployment.handler import ENDINGS
from plimsoll.deployment.package import BOOTSTRAP, KINDS, one_folder_down
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plimsoll.deployment.package import Package

_CUSTOM = "provided.al2023"
"""Runs whatever is called bootstrap, and is built in."""
_OWN_PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
"""Of the Python that runs Plimsoll, which so is on this host."""
_NO_CALLBACKS_FROM = 24
"""Node 24's runtime client refuses handlers with a callback (facts sheet H5)."""


def choose_runtime(
    package: Package, requested: str | None, installed: Sequence[str], handler: str | None = None
) -> str:
    """AWS's identifier. A requested one is the store's to judge, but that it is not the named file's.

    A handler that is named decides by its own file, where the folder has that.

    Raises `CallerError` where nothing installed suits.
    """
    if requested is not None:
        _refuse_other_language(package, requested)
        return requested
    files = [package.root / package.entry] if package.entry else sorted(package.root.iterdir())
    module = (handler or "").rpartition(".")[0]
    named = [package.root / f"{module}{ending}" for ending in KINDS if module]
    files = [path for path in named if path.is_file()] or files
    files = [path for path in files if path.is_file()]  # a folder may be called chart.js
    endings = {path.suffix for path in files}
    if any(path.name == BOOTSTRAP and path.stat().st_mode & 0o111 for path in files):
        return _CUSTOM
    if endings & {".js", ".mjs", ".cjs"}:
        callbacks = any(
            looks_callback_style(path) for path in files if path.suffix in {".js", ".cjs", ".mjs"}
        )
        return _newest("nodejs", installed, below=_NO_CALLBACKS_FROM if callbacks else None)
    if ".py" in endings:
        return _newest("python", installed)
    if any(path.name == BOOTSTRAP for path in files):
        return _CUSTOM  # which will say that it may not be executed
    raise CallerError(
        f"{package.source} has neither JavaScript nor Python nor a bootstrap at its top: which runtime is it for?",
        mend=one_folder_down(package) or "name it: --runtime nodejs20.x",
    )


def _refuse_other_language(package: Package, requested: str) -> None:
    """A file alone is of one language; in a folder anything may lie beside the handler."""
    for language, endings in ENDINGS.items():
        if package.entry is None or not requested.startswith(language):
            continue
        if not package.entry.endswith(endings):
            other = "Python" if language == "nodejs" else "Node.js"
            raise CallerError(
                f"{package.source} is no file for {requested}, which runs {', '.join(endings)}",
                mend=f"leave --runtime out, or name one of {other}",
            )


def _newest(language: str, installed: Sequence[str], below: int | None = None) -> str:
    fitting = [name for name in installed if name.startswith(language)]
    if below is not None:
        fitting = [name for name in fitting if _series(name)[-1] < below]
    if fitting:
        return max(fitting, key=_series)
    add = "nodejs20.x" if language == "nodejs" else _OWN_PYTHON
    have = ", ".join(installed) or "none"
    raise CallerError(
        f"no installed runtime runs this {language} code; this host has: {have}",
        mend=f"plimsoll runtimes add {add}",
    )


def _series(name: str) -> tuple[int, ...]:
    digits = name.lstrip("abcdefghijklmnopqrstuvwxyz").removesuffix(".x")
    return tuple(int(part) for part in digits.split("."))
