"""Settings: frozen, read once by the outermost door, handed inwards, never global.

Rule: unknown names in our own namespace are refused, so that a misspelt setting does not pass for a set one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path

from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "PLIMSOLL_"
_KNOWN = ("PLIMSOLL_HOME",)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment of the `plimsoll` command itself decides."""

    data_folder: Path
    """Installed runtimes live here. PLIMSOLL_HOME, else the platform's folder for user data."""


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Reads our variables. Raises `CallerError` for an unknown one."""
    for name in sorted(variables):
        if name.startswith(_PREFIX) and name not in _KNOWN:
            raise CallerError(
                f"{name} is not a setting of Plimsoll; known: {', '.join(_KNOWN)}",
                mend=f"unset {name}",
            )
    home = variables.get("PLIMSOLL_HOME")
    return Settings(Path(home) if home else user_data_path("plimsoll"))
