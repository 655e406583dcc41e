"""Plimsoll's side of the spawner and of each box: sockets in, events out.

Rule: nothing here knows Lambda. A `Box` is namespaces, mounts and a cgroup in which processes are started by key;
how they end comes back as a `ProcessEnd`. See `spawner` and `box_init` for the other ends.
"""

from __future__ import annotations

import asyncio
import itertools
import marshal
import os
import socket
import struct
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plimsoll.errors import HostCannot, PlatformError
from plimsoll.sandbox import passing, spawner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from plimsoll.model.memory import Touched
    from plimsoll.sandbox.cgroup import Cgroup


@dataclass(frozen=True, slots=True)
class BoxSpec:
    """What a box shows and is allowed. All of it is read-only, except `/tmp`."""

    tmp_bytes: int
    """Size of `/tmp`, where it is a tmpfs."""
    tmp_inodes: int
    binds: tuple[tuple[str, str], ...] = ()
    """Host folders, and where they are shown: `/…`."""
    images: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    """Image files, and what is shown of each: a path inside it (`.` for all of it), and `/…`."""
    tmp_disk: int | None = None
    """A descriptor of the file whose ext4 becomes `/tmp`; without it `/tmp` is a tmpfs. Stays the caller's."""
    largest_allocation_bytes: int | None = None
    """What a process may ask for in one step (`seccomp.refuse_large_allocations`); None is what the host grants."""
    read_ahead: Touched = ()
    """What the first process asks the kernel to read before it becomes what it is to be."""
    own_network: bool = False
    root: tuple[str | None, str] | None = None
    """What is shown as `/`, instead of the host's system folders: an image file and a folder in it, or None and a host
    folder. It has the places on which a box mounts (`box_init`, its lay-out)."""


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a process ended: a wait status, or the errno and step at which it could not even be started."""

    wait_status: int = 0
    start_errno: int = 0
    start_step: str = ""

    @property
    def signal(self) -> int:
        """The signal that killed it, 0 if none did."""
        return os.WTERMSIG(self.wait_status) if os.WIFSIGNALED(self.wait_status) else 0

    @property
    def exit_code(self) -> int:
        """Its exit status; 0 when it was killed."""
        return os.WEXITSTATUS(self.wait_status) if os.WIFEXITED(self.wait_status) else 0


class Process:
    """One process that was started in a box."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[ProcessEnd] = loop.create_future()
        """How it ended; raises `PlatformError` where its box was lost."""

    def end_with_the_box(self, cause: PlatformError | None) -> None:
        """Its box is gone: a kill if that was wanted, else an error of ours and never an outcome of the function."""
        if self.ended.done():
            return
        if cause is None:
            self.ended.set_result(ProcessEnd(wait_status=9))
        else:
            self.ended.set_exception(cause)
            self.ended.exception()  # whoever asks how it ended is told; nobody else needs a warning


class Box:
    """A living box. Made by `Spawner.clone`."""

    def __init__(self, control: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self.pid: int | None = None
        """Process 1, as the host sees it."""
        self.ready: asyncio.Future[socket.socket | None] = loop.create_future()
        """Laid out; the listener inside the box's own network, if it has one."""
        self.gone = asyncio.Event()
        self._quiet: asyncio.Future[None] | None = None
        self._closing = False
        self._largest: int | None = None
        self._read_ahead: Touched = ()
        self._lost: PlatformError | None = None
        """Why nothing can be started in it any more."""
        self._control = control
        self._processes: dict[str, Process] = {}
        self._numbers = itertools.count(1)
        control.setblocking(False)
        loop.add_reader(control.fileno(), self._on_message)

    def lay_out(self, spec: BoxSpec) -> None:
        """Makes a blank box the one that is wanted; returns at once. Wait for `ready`."""
        self._largest, self._read_ahead = spec.largest_allocation_bytes, spec.read_ahead
        wanted = {
            "binds": _relative(spec.binds),
            "images": [(image, _relative(shown)) for image, shown in spec.images],
            "tmp_bytes": spec.tmp_bytes,
            "tmp_inodes": spec.tmp_inodes,
            "root": spec.root,
        }
        # an error here is a blank that failed or died: `ready` says so
        with suppress(OSError):
            disk = [] if spec.tmp_disk is None else [spec.tmp_disk]
            socket.send_fds(self._control, [marshal.dumps(("lay out", wanted))], disk)

    def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        fds: Sequence[int],
    ) -> Process:
        """Starts a process with `fds` as its 1, 2, 3, … and /dev/null as 0; returns at once."""
        process = Process()
        if self._lost is not None:
            process.end_with_the_box(self._lost)
            return process
        key = str(next(self._numbers))
        self._processes[key] = process
        kernel = (self._largest, self._read_ahead)
        self._read_ahead = ()  # it is there now
        message = marshal.dumps(("start", key, list(argv), dict(env), cwd, kernel))
        if len(message) > passing.MESSAGE_BYTES:  # reading ahead is no need
            kernel = (self._largest, ())
            message = marshal.dumps(("start", key, list(argv), dict(env), cwd, kernel))
        if len(message) > passing.MESSAGE_BYTES:
            raise PlatformError(f"the command and environment of {argv[0]} are over 128 KiB")
        with suppress(ConnectionError):  # the box is lost: `ended` says so
            socket.send_fds(self._control, [message], fds)
        return process

    async def kill_processes(self) -> None:
        """Kills all processes of the box but its process 1; returns when they are dead and reaped."""
        if self.gone.is_set() or self._control.fileno() < 0:
            return
        if self._quiet is None:
            self._quiet = asyncio.get_running_loop().create_future()
            with suppress(ConnectionError):
                self._control.send(marshal.dumps(("kill",)))
        await self._quiet

    async def close(self) -> None:
        """Ends the box: processes, mounts and `/tmp` are gone on return."""
        self._closing = True
        self._drop_control()
        await self.gone.wait()

    def _drop_control(self) -> None:
        if self._control.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._control.close()

    def on_gone(self, error: PlatformError | None = None) -> None:
        """Called by the spawner's side when process 1 is dead."""
        self.gone.set()
        while self._control.fileno() >= 0 and self._receive():
            pass  # what it said last
        self._drop_control()
        self._lost = cause = (
            self._lost
            or error
            or PlatformError(
                "the first process of a box was killed from outside; the environment is lost",
                mend="run it again; `dmesg` tells whether the host ran out of memory",
            )
        )
        if not self.ready.done():
            self.ready.set_exception(cause)
            self.ready.exception()  # whoever awaits it is told; nobody else needs a warning
        if self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)
        for process in self._processes.values():
            process.end_with_the_box(None if self._closing else cause)
        self._processes.clear()

    def _on_message(self) -> None:
        if not self._receive():
            asyncio.get_running_loop().remove_reader(self._control.fileno())

    def _receive(self) -> bool:
        room = socket.CMSG_SPACE(4)
        try:
            data, ancillary, _, _ = self._control.recvmsg(passing.MESSAGE_BYTES, room)
        except BlockingIOError:
            return False
        except ConnectionError:
            return False
        if data:
            self._dispatch(marshal.loads(data), ancillary)  # noqa: S302  our own process 1
        return bool(data)

    def _dispatch(self, message: tuple[Any, ...], ancillary: list[tuple[int, int, bytes]]) -> None:
        match message:
            case ("ready",):
                self.ready.set_result(_passed_socket(ancillary))
            case ("failed", str(step), errno, str(text)):
                self._lost = HostCannot(
                    f"the box could not be built at its {step}: {text} (errno {errno})",
                    mend="plimsoll doctor",
                )
                self.ready.set_exception(self._lost)
                self.ready.exception()
            case ("exec", str(key), int(errno), str(step)):
                self._end(key, ProcessEnd(start_errno=errno, start_step=step))
            case ("exited", str(key), int(status)):
                self._end(key, ProcessEnd(wait_status=status))
            case ("quiet",):
                if self._quiet is not None:
                    self._quiet.set_result(None)
                    self._quiet = None

    def _end(self, key: str, end: ProcessEnd) -> None:
        process = self._processes.pop(key, None)  # None: it failed to exec, and then exited as well
        if process is not None and not process.ended.done():
            process.ended.set_result(end)


class Spawner:
    """The handle on the spawner process; an async context manager that leaves no box behind."""

    def __init__(self, root: Path) -> None:
        """`root` is an empty folder of the run, on which the spawner mounts in its own namespace."""
        self._root = root
        self._dead: PlatformError | None = None
        self._boxes: dict[int, Box] = {}
        self._waiting: dict[int, Box] = {}
        self._tries: dict[int, asyncio.Future[str]] = {}
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Spawner:
        loop = asyncio.get_running_loop()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self._root.mkdir(exist_ok=True)
        command = spawner.spawn_command(theirs.fileno(), str(self._root))
        self._process = subprocess.Popen(  # noqa: ASYNC220  vfork, half a millisecond
            command,
            pass_fds=[theirs.fileno()],
            env={},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        message = await loop.sock_recv(self._socket, passing.MESSAGE_BYTES)
        first = marshal.loads(message) if message else ("failed", 0, "it died at its start")  # noqa: S302
        if first != ("serving",):
            await self.__aexit__()
            raise HostCannot(
                f"the spawner cannot build its root: {first[2]}", mend="plimsoll doctor"
            )
        loop.add_reader(self._socket.fileno(), self._on_message)
        return self

    async def __aexit__(self, *_: object) -> None:
        for box in (*self._waiting.values(), *self._boxes.values()):
            await box.close()
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        await asyncio.to_thread(self._process.wait)

    def clone(self, cgroup: Cgroup, *, own_network: bool) -> Box:
        """A blank box whose processes live in `cgroup`; returns at once. Lay it out, then wait for its `ready`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        box = Box(ours)
        if self._dead is not None:
            theirs.close()
            box.on_gone(self._dead)
            return box
        number = next(self._numbers)
        message = marshal.dumps(("box", number, own_network, cgroup.version))
        with suppress(ConnectionError):  # the spawner is dead: its closed socket tells all boxes
            socket.send_fds(self._socket, [message], [theirs.fileno(), *cgroup.join_fds()])
        self._waiting[number] = box
        theirs.close()
        return box

    async def try_image(self, image: str) -> None:
        """Mounts an image file where nobody sees it, and lets it go. Raises `HostCannot` where that is refused."""
        if self._dead is not None:
            raise self._dead
        number = next(self._numbers)
        tried: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tries[number] = tried
        with suppress(ConnectionError):
            self._socket.send(marshal.dumps(("try image", number, image)))
        refused = await tried
        if refused:
            raise HostCannot(f"{image} cannot be mounted: {refused}", mend="plimsoll doctor")

    def _on_message(self) -> None:
        try:
            data = self._socket.recv(passing.MESSAGE_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._on_death()
            return
        match marshal.loads(data):  # noqa: S302  our own spawner
            case ("box", int(number), int(pid)):
                box = self._waiting.pop(number)
                box.pid = pid
                self._boxes[pid] = box
            case ("refused", int(number), int(errno), str(text)):
                error = HostCannot(f"no box: {text} (errno {errno})", mend="plimsoll doctor")
                self._waiting.pop(number).on_gone(error)
            case ("gone", int(pid)):
                self._boxes.pop(pid).on_gone()
            case ("tried", int(number), str(text)):
                tried = self._tries.pop(number)
                if not tried.done():  # whoever asked was interrupted
                    tried.set_result(text)

    def _on_death(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._dead = PlatformError(
            "the spawner was killed from outside, and with it all environments",
            mend="run it again; `dmesg` tells whether the host ran out of memory",
        )
        for box in (*self._waiting.values(), *self._boxes.values()):
            box.on_gone(self._dead)
        for tried in self._tries.values():
            if not tried.done():
                tried.set_exception(self._dead)
        self._boxes.clear()
        self._waiting.clear()
        self._tries.clear()


def _relative(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Their places as seen from the root that is being laid out."""
    return [(source, target.lstrip("/")) for source, target in pairs]


def _passed_socket(ancillary: list[tuple[int, int, bytes]]) -> socket.socket | None:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            return socket.socket(fileno=struct.unpack("i", data[:4])[0])
    return None
