"""Boxes with their cgroups, one of each ahead of demand.

Theory of operation. A box and a cgroup that are made while somebody waits cost a millisecond and a half, most of it the
kernel's. So one blank box (see `box_init`) and one spare group are kept; whoever asks is given them, and the next ones
are made a moment later. Where they are used up faster than that, they are made on the spot.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from plimsoll.errors import PlatformError

if TYPE_CHECKING:
    from plimsoll.sandbox.box import Box, BoxSpec, Spawner
    from plimsoll.sandbox.cgroup import Cgroup
    from plimsoll.sandbox.cgroup_host import CgroupHost

_RESTOCK_S = 0.02
"""Not while what was just given out is starting its runtime."""
_SPARE_BYTES = 1 << 40


class Stock:
    """See the module. `run` names the run folder under which the groups are filed."""

    def __init__(self, spawner: Spawner, cgroups: CgroupHost, run: str) -> None:
        """Makes the first ones. Raises `HostCannot`, `LimitNotEnforced` where there can be no group."""
        self._spawner = spawner
        self._cgroups = cgroups
        self._run = run
        self._timer: asyncio.TimerHandle | None = None
        self._blank: Box | None = spawner.clone(own_network=False)
        self._spare: Cgroup | None = self._new_group(_SPARE_BYTES)

    def create(self, spec: BoxSpec, limit_bytes: int) -> tuple[Box, Cgroup]:
        """A box that is being laid out and a group with this memory limit; wait for `box.ready`.

        Raises `HostCannot`, `LimitNotEnforced`: the box goes with the spawner then.
        """
        box = self._box(spec)
        box.lay_out(spec)
        spare, self._spare = self._spare, None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_RESTOCK_S, self._restock)
        if spare is None:
            return box, self._new_group(limit_bytes)
        spare.set_limit(limit_bytes)
        return box, spare

    def close(self) -> None:
        """Removes the spare group; the blank box goes with the spawner."""
        if self._timer is not None:
            self._timer.cancel()
        if self._spare is not None:
            self._spare.remove()
            self._spare = None

    def _box(self, spec: BoxSpec) -> Box:
        blank = self._blank
        if spec.own_network or blank is None or blank.gone.is_set():
            return self._spawner.clone(own_network=spec.own_network)
        self._blank = None
        return blank

    def _new_group(self, limit_bytes: int) -> Cgroup:
        return self._cgroups.create(f"{self._run}/{secrets.token_hex(16)}", limit_bytes)

    def _restock(self) -> None:
        self._timer = None
        if self._blank is None or self._blank.gone.is_set():
            self._blank = self._spawner.clone(own_network=False)
        if self._spare is None:
            try:
                self._spare = self._new_group(_SPARE_BYTES)
            except (OSError, PlatformError):
                self._spare = None  # whoever needs one makes it then, and is told why it cannot be
