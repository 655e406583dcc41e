"""Process 1 of a box: builds it, starts processes in it, tells how they end, and takes the box down with it.

Theory of operation. The spawner clones this process into new namespaces. It does at once what all boxes have alike
(a blank box: Plimsoll keeps one in stock) and then serves one control socket whose other end Plimsoll holds:

    -> ("lay out", spec) + fd [disk for /tmp]       <- ("ready",) + fd [listener, if the network is its own]
                                                    <- ("failed", step, errno, text)
    -> ("start", key, argv, env, cwd,               <- ("exec", key, errno, step)  it could not be started
        (largest allocation, read ahead)) + fds 1 2 3…
                                                    <- ("exited", key, wait status)
    -> ("kill",)                                    <- ("quiet",)              every other process is dead and reaped

When the socket closes, Plimsoll has gone, however it died: this process exits, and the kernel kills all others in
its pid namespace and frees the mounts. It is never in the memory cgroup; its children are, from their start.

Of a fork half is the copying of pages that the child touches first. So a blank box also holds a parked child: cloned
ahead into its cgroup, its pages touched, waiting for what it is to become. It serves the first start.
"""

from __future__ import annotations

import _socket
import fcntl
import marshal
import os
import select
import struct

from plimsoll.sandbox import loop, passing, seccomp, syscalls, template

TYPE_CHECKING = False  # `typing` would be 1.5 MB more for each box's fork to map; `socket` 1 MB
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

HOSTNAME = "sandbox"
_NEW_ROOT = "var/lang"
"""Any folder of the template's will do: what is in it is not shown where there is another root."""
_HIGH_FD = 512
LISTEN_PORT = 9001
"""Facts sheet E1: the Runtime API's port on AWS, used where the box has a network of its own."""


def run(control: _socket.socket, group: Group, root: str, *, own_network: bool) -> NoReturn:
    """Never returns: the life of process 1."""
    step = "signals"
    try:
        children = syscalls.block_sigchld()
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, 9)
        step = "hostname"
        syscalls.sethostname(HOSTNAME)
        step = "mounts"
        os.chdir(root)
        closed = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        # hidepid: process 1 is Plimsoll's; its command line tells paths of the host
        syscalls.mount("proc", "proc", "proc", closed, "hidepid=2")
        step = "network"
        listener = _listen_inside() if own_network else []
        step = "first process"
        starter = Starter(control, group)
        step = "mounts"
        _mount_tmp(1 << 20, 16)  # a rehearsal: see the module, "pages that the child touches first"
        syscalls.umount_lazily("tmp")
        spec, fds = _receive_spec(control)
        if spec["root"] is not None:
            step = "root"
            _enter_root(*spec["root"])
        step = "images"
        for image, shown in spec["images"]:
            loop.show_image(image, shown)
        step = "mounts"
        for source, target in spec["binds"]:
            syscalls.bind_read_only(source, target)
        if fds:
            step = "disk for /tmp"
            _mount_tmp_disk(fds[0])
        else:
            _mount_tmp(spec["tmp_bytes"], spec["tmp_inodes"])
        syscalls.pivot_root_here()
        os.chdir("/")
    except OSError as error:
        control.send(marshal.dumps(("failed", step, error.errno, str(error))))
        os._exit(1)
    try:
        _serve_what_waits(control, starter)  # before Plimsoll is woken, which needs a processor too
        passing.send(control, ("ready",), listener)
        for fd in listener:
            os.close(fd)
        _serve(control, children, starter)
    except ConnectionError:
        pass  # Plimsoll is gone: so are we
    os._exit(0)


def _receive_spec(control: _socket.socket) -> tuple[dict[str, Any], list[int]]:
    message, fds = passing.receive(control)
    if message is None:
        os._exit(0)  # never used
    return message[1], fds


def _enter_root(image: str | None, folder: str) -> None:
    """Lets a whole file system be the root: from here on the current folder is it, with what a box needs moved in.

    It has these places itself, as real files and folders. The host's part in it is what the template wrote into `/etc`.
    """
    if image is None:
        syscalls.bind_read_only(folder, _NEW_ROOT)
    else:
        loop.show_image(image, [(folder, _NEW_ROOT)])
    syscalls.mount("proc", f"{_NEW_ROOT}/proc", None, syscalls.MS_MOVE)
    # recursive: a device may be a mount of the host's node
    syscalls.mount("dev", f"{_NEW_ROOT}/dev", None, syscalls.MS_BIND | syscalls.MS_REC)
    for name in (*template.WRITTEN, "etc/resolv.conf"):
        if os.path.exists(name):
            syscalls.mount(name, f"{_NEW_ROOT}/{name}", None, syscalls.MS_BIND)
    os.chdir(_NEW_ROOT)


def _mount_tmp(size_bytes: int, inodes: int) -> None:
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
    options = f"mode=1777,size={size_bytes},nr_inodes={inodes}"
    syscalls.mount("tmpfs", "tmp", "tmpfs", flags, options)


def _mount_tmp_disk(file: int) -> None:
    loop.mount_writable(file, "tmp")
    os.close(file)
    os.rmdir("tmp/lost+found")
    os.chmod("tmp", 0o1777)  # noqa: S103  /tmp, with the sticky bit


def _listen_inside() -> list[int]:
    """In a network namespace of its own: loopback up, and the listener that Plimsoll will accept on."""
    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    siocsifflags, iff_up_running = 0x8914, 0x1 | 0x40
    fcntl.ioctl(probe, siocsifflags, struct.pack("16sh14x", b"lo", iff_up_running))
    probe.close()
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", LISTEN_PORT))
    listener.listen(64)
    return [listener.detach()]


def _serve(control: _socket.socket, children: int, starter: Starter) -> None:
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(children, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if children in ready:
            os.read(children, 128)
            _reap(control, starter.keys, block=False)
        if control.fileno() in ready and not _serve_one(control, starter):
            return


def _serve_what_waits(control: _socket.socket, starter: Starter) -> None:
    poll = select.poll()
    poll.register(control, select.POLLIN)
    if poll.poll(0) and not _serve_one(control, starter):
        os._exit(0)  # Plimsoll is gone


def _serve_one(control: _socket.socket, starter: Starter) -> bool:
    """The next message; False when there will be none any more."""
    message, fds = passing.receive(control)
    if message is None:
        return False
    if message[0] == "start":
        starter.start(message, fds)
    elif message[0] == "kill":
        try:
            os.kill(-1, 9)
        except ProcessLookupError:
            pass  # nobody left to kill
        _reap(control, starter.keys, block=True)
        control.send(marshal.dumps(("quiet",)))
    return True


def _reap(control: _socket.socket, keys: dict[int, str], *, block: bool) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, 0 if block else os.WNOHANG)
        except ChildProcessError:
            return  # no children at all
        if pid == 0:
            return
        key = keys.pop(pid, None)
        if key is not None:
            control.send(marshal.dumps(("exited", key, status)))


class Group:
    """The cgroup that the box's processes live in, by the descriptors through which one joins it."""

    def __init__(self, version: int, joins: Sequence[int]) -> None:
        self._version = version
        self._joins = joins

    def clone(self) -> int:
        """A child that is in the group before it allocates anything; as fork(2).

        v1: the child, single-threaded, writes 0 to each `tasks` (60 us); v2: CLONE_INTO_CGROUP (0.1 ms). Every other
        way, `cgroup.procs` above all, waits 5 to 16 ms for a grace period.
        """
        if self._version == 2:
            return syscalls.clone(into_cgroup=self._joins[0])
        pid = syscalls.clone()
        if pid == 0:
            for tasks in self._joins:
                os.write(tasks, b"0")
        return pid


class Starter:
    """Starts processes: the first one from the parked child, the others by a clone each."""

    def __init__(self, control: _socket.socket, group: Group) -> None:
        """Parks a child. Raises `OSError`."""
        self.keys: dict[int, str] = {}
        """The key of each living process that was started, by its pid in here."""
        self._control = control
        self._group = group
        self._parked: _socket.socket | None
        self._parked, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self._parked_pid = group.clone()
        if self._parked_pid == 0:
            self._parked.close()
            _wait_parked(control, theirs)
        theirs.close()

    def start(self, message: tuple[Any, ...], fds: list[int]) -> None:
        """Carries out a "start"; that it failed is told on the control socket by the child itself."""
        parked, self._parked = self._parked, None
        if parked is not None:
            pid = self._parked_pid
            passing.send(parked, message, fds)
            parked.close()
        else:
            pid = self._group.clone()
            if pid == 0:
                _leave_parent()
                _become(self._control, message, fds)
        self.keys[pid] = message[1]
        for fd in fds:
            os.close(fd)


def _wait_parked(control: _socket.socket, orders: _socket.socket) -> NoReturn:
    _leave_parent()
    # a rehearsal, for the sake of the pages that it touches
    os.dup2(control.fileno(), _HIGH_FD, inheritable=False)
    marshal.loads(marshal.dumps(("start", "", ["", ""], {"": ""}, "/", (None, ()))))  # noqa: S302
    message, fds = passing.receive(orders)
    if message is None:
        os._exit(0)
    orders.close()
    _become(control, message, fds)


def _leave_parent() -> None:
    os.setsid()
    syscalls.reset_signals()


def _become(control: _socket.socket, message: tuple[Any, ...], fds: list[int]) -> NoReturn:
    """The child's steps, in the order the kernel wants: group before user, user before exec.

    What every box has alike (limits, no groups, no new privileges) the spawner set for itself, and it is inherited.
    """
    _, key, argv, env, cwd, (largest_allocation_bytes, read_ahead) = message
    step = "descriptors"
    # parked above anything that is dup2'ed below; close-on-exec, so only 0 to len(fds) reach the program
    said = _socket.socket(fileno=os.dup2(control.fileno(), _HIGH_FD, inheritable=False))
    try:
        null = os.open("/dev/null", os.O_RDONLY)
        high = [
            os.dup2(fd, _HIGH_FD + 1 + n, inheritable=False) for n, fd in enumerate([null, *fds])
        ]
        for target, fd in enumerate(high):
            os.dup2(fd, target)
        syscalls.close_range(len(high), _HIGH_FD - 1)
        syscalls.close_range(high[-1] + 1, 0xFFFFFFFF)
        _read_ahead(read_ahead)
        if largest_allocation_bytes is not None:
            step = "largest allocation"
            seccomp.refuse_large_allocations(largest_allocation_bytes)
        step = "user"
        os.setresgid(template.GID, template.GID, template.GID)
        os.setresuid(template.UID, template.UID, template.UID)
        step = "working directory"
        os.chdir(cwd)
        step = "exec"
        os.execve(argv[0], argv, env)  # noqa: S606  no shell on purpose
    except OSError as error:
        said.send(marshal.dumps(("exec", key, error.errno, step)))
    os._exit(127)


def _read_ahead(files: Sequence[tuple[str, Sequence[tuple[int, int]]]]) -> None:
    """Asks for pages that will be touched: they come meanwhile, and are charged to the caller's group all the same."""
    for path, ranges in files:
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            continue  # nobody needs it: what is touched comes then
        for offset, length in ranges:
            os.posix_fadvise(file, offset, length, os.POSIX_FADV_WILLNEED)
        os.close(file)
