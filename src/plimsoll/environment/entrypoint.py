"""What is started as an environment's runtime: the runtime's own command, or the bootstrap that the function brings.

Source of the order: facts sheet D5. AWS's emulator takes the first that exists and is no folder; whether it can be
executed is found by executing it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from plimsoll.model import Function
    from plimsoll.runtimes import Runtime


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """A command inside the box."""

    argv: tuple[str, ...]
    looked_for: tuple[str, ...] = ()
    """All that was looked for, where nothing was found: starting `argv` will fail."""


def choose_entrypoint(function: Function, runtime: Runtime) -> Entrypoint:
    """For the function's folders as they are now."""
    command = runtime.command(function.memory_mib, function.handler)
    if not runtime.bootstraps:
        return Entrypoint(command)
    folders = {"/var/task": function.code_root}
    if function.layers:
        folders["/opt"] = function.layers[-1]  # shown over the others
    for place in runtime.bootstraps:
        target, _, name = place.rpartition("/")
        if target in folders and _is_there(folders[target] / name):
            return Entrypoint((place,))
    return Entrypoint(command, runtime.bootstraps)


def _is_there(path: Path) -> bool:
    """A link counts: where it leads to is another file inside the box than here."""
    try:
        return not stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
