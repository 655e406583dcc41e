"""Boxes with their cgroups, one ahead of demand.

Theory of operation. A box and a cgroup that are made while somebody waits cost a millisecond and a half, most of it the
kernel's. So one blank box (see `box_init`) in a group of its own is kept; whoever asks is given it, and the next one
is made a moment later. Where they are used up faster than that, they are made on the spot.
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
        """Makes the first one. Raises `HostCannot`, `LimitNotEnforced` where there can be none."""
        self._spawner = spawner
        self._cgroups = cgroups
        self._run = run
        self._timer: asyncio.TimerHandle | None = None
        self._spare: tuple[Box, Cgroup] | None = self._make(own_network=False)

    def create(self, spec: BoxSpec, limit_bytes: int) -> tuple[Box, Cgroup]:
        """A box that is being laid out, and its group with this memory limit; wait for `box.ready`.

        Raises `HostCannot`, `LimitNotEnforced`: the box goes with the spawner then.
        """
        box, cgroup = self._take(own_network=spec.own_network)
        box.lay_out(spec)
        cgroup.set_limit(limit_bytes)
        return box, cgroup

    async def close(self) -> None:
        """Removes what nobody asked for."""
        if self._timer is not None:
            self._timer.cancel()
        spare, self._spare = self._spare, None
        if spare is not None:
            await spare[0].close()
            spare[1].remove()

    def _take(self, *, own_network: bool) -> tuple[Box, Cgroup]:
        if own_network or self._spare is None or self._spare[0].gone.is_set():
            return self._make(own_network=own_network)
        spare, self._spare = self._spare, None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_RESTOCK_S, self._restock)
        return spare

    def _make(self, *, own_network: bool) -> tuple[Box, Cgroup]:
        cgroup = self._cgroups.create(f"{self._run}/{secrets.token_hex(16)}", _SPARE_BYTES)
        return self._spawner.clone(cgroup, own_network=own_network), cgroup

    def _restock(self) -> None:
        self._timer = None
        try:
            self._spare = self._make(own_network=False)
        except (OSError, PlatformError):
            self._spare = None  # whoever needs one makes it then, and is told why it cannot be
