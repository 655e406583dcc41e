"""Which runtime: the one asked for, else the newest installed one that suits the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plimsoll.deployment.exports import looks_callback_style
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plimsoll.deployment.package import Package

_NO_CALLBACKS_FROM = 24
"""Node 24's runtime client refuses handlers with a callback (facts sheet H5)."""


def choose_runtime(package: Package, requested: str | None, installed: Sequence[str]) -> str:
    """AWS's identifier. A requested one is taken as it is: the store judges it.

    Raises `CallerError` where nothing installed suits.
    """
    if requested is not None:
        return requested
    files = [package.root / package.entry] if package.entry else sorted(package.root.iterdir())
    files = [path for path in files if path.is_file()]  # a folder may be called chart.js
    endings = {path.suffix for path in files}
    if endings & {".js", ".mjs", ".cjs"}:
        callbacks = any(
            looks_callback_style(path) for path in files if path.suffix in {".js", ".cjs", ".mjs"}
        )
        return _newest("nodejs", installed, below=_NO_CALLBACKS_FROM if callbacks else None)
    if ".py" in endings:
        return _newest("python", installed)
    if any(path.name == "bootstrap" for path in files):
        raise CallerError("custom runtimes (bootstrap, provided.al2023) are not supported yet")
    raise CallerError(
        f"{package.root} has neither JavaScript nor Python at its top: which runtime is it for?",
        mend="name it: --runtime nodejs20.x",
    )


def _newest(language: str, installed: Sequence[str], below: int | None = None) -> str:
    fitting = [name for name in installed if name.startswith(language)]
    if below is not None:
        fitting = [name for name in fitting if _series(name)[-1] < below]
    if fitting:
        return max(fitting, key=_series)
    add = "nodejs20.x" if language == "nodejs" else "python3.13"
    have = ", ".join(installed) or "none"
    raise CallerError(
        f"no installed runtime runs this {language} code; this host has: {have}",
        mend=f"plimsoll runtimes add {add}",
    )


def _series(name: str) -> tuple[int, ...]:
    digits = name.lstrip("abcdefghijklmnopqrstuvwxyz").removesuffix(".x")
    return tuple(int(part) for part in digits.split("."))
