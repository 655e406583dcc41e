"""Process 1 of a box: builds it, starts processes in it, tells how they end, and takes the box down with it.

Theory of operation. The spawner clones this process into new namespaces. It lays out the root, then serves one
control socket whose other end Plimsoll holds:

    -> ("start", key, argv, env, cwd, fds 1 2 3…)   <- ("started", key)       sent by the child just before exec:
                                                                                its credentials tell its host pid
                                                    <- ("exec", key, errno, step)  it could not be started
                                                    <- ("exited", key, wait status)
    -> ("kill",)                                    <- ("quiet",)              every other process is dead and reaped

When the socket closes, Plimsoll has gone, however it died: this process exits, and the kernel kills all others in
its pid namespace and frees the mounts. It is never in the environment's memory cgroup; its children join before exec.
"""

from __future__ import annotations

import _socket
import fcntl
import marshal
import os
import select
import struct

from plimsoll.sandbox import passing, syscalls, template

TYPE_CHECKING = False  # `typing` would be 1.5 MB more for each box's fork to map; `socket` 1 MB
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

_PARKED = 512


def run(spec: dict[str, Any], control: _socket.socket, joins: Sequence[int], root: str) -> NoReturn:
    """Never returns: the life of process 1. `joins` are descriptors of the cgroup (see `_clone_into`)."""
    step = "signals"
    try:
        children = syscalls.block_sigchld()
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, 9)
        step = "hostname"
        syscalls.sethostname(spec["hostname"])
        step = "mounts"
        _lay_out(spec, root)
        step = "network"
        fds = _network(spec)
    except OSError as error:
        control.send(marshal.dumps(("failed", step, error.errno, str(error))))
        os._exit(1)
    passing.send(control, ("ready",), fds)
    for fd in fds:
        os.close(fd)
    try:
        _serve(control, children, spec, joins)
    except ConnectionError:
        pass  # Plimsoll is gone: so are we
    os._exit(0)


def _lay_out(spec: dict[str, Any], root: str) -> None:
    os.chdir(root)
    for source, target in spec["binds"]:
        syscalls.bind_read_only(source, target)
    syscalls.mount(
        "tmpfs",
        "tmp",
        "tmpfs",
        syscalls.MS_NOSUID | syscalls.MS_NODEV,
        f"mode=1777,size={spec['tmp_bytes']},nr_inodes={spec['tmp_inodes']}",
    )
    closed = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    # hidepid: process 1 is Plimsoll's; its command line tells paths of the host
    syscalls.mount("proc", "proc", "proc", closed, "hidepid=2")
    syscalls.pivot_root_here()
    os.chdir("/")


def _network(spec: dict[str, Any]) -> list[int]:
    """In a network namespace of its own: loopback up, and the listener that Plimsoll will accept on."""
    port = spec["listen_port"]
    if port is None:
        return []
    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    siocsifflags, iff_up_running = 0x8914, 0x1 | 0x40
    fcntl.ioctl(probe, siocsifflags, struct.pack("16sh14x", b"lo", iff_up_running))
    probe.close()
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)
    return [listener.detach()]


def _serve(
    control: _socket.socket, children: int, spec: dict[str, Any], joins: Sequence[int]
) -> None:
    keys: dict[int, str] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(children, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if children in ready:
            os.read(children, 128)
            _reap(control, keys, block=False)
        if control.fileno() not in ready:
            continue
        message, fds = passing.receive(control)
        if message is None:
            return
        if message[0] == "start":
            _start(message, fds, control, keys, spec, joins)
        elif message[0] == "kill":
            try:
                os.kill(-1, 9)
            except ProcessLookupError:
                pass  # nobody left to kill
            _reap(control, keys, block=True)
            control.send(marshal.dumps(("quiet",)))


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


def _start(
    message: tuple[Any, ...],
    fds: list[int],
    control: _socket.socket,
    keys: dict[int, str],
    spec: dict[str, Any],
    joins: Sequence[int],
) -> None:
    _, key, argv, env, cwd = message
    pid = _clone_into(spec["cgroup"], joins)
    if pid == 0:
        _become(key, argv, env, cwd, fds, control)
    keys[pid] = key
    for fd in fds:
        os.close(fd)


def _clone_into(version: int, joins: Sequence[int]) -> int:
    """A child that is in the cgroup before it allocates anything.

    v1: the child, single-threaded, writes 0 to `tasks` (50 us); v2: CLONE_INTO_CGROUP (0.1 ms). Every other way,
    `cgroup.procs` above all, waits 5 to 16 ms for a grace period.
    """
    if version == 2:
        return syscalls.clone(into_cgroup=joins[0])
    pid = syscalls.clone()
    if pid == 0:
        for tasks in joins:
            os.write(tasks, b"0")
    return pid


def _become(
    key: str,
    argv: list[str],
    env: dict[str, str],
    cwd: str,
    fds: list[int],
    control: _socket.socket,
) -> NoReturn:
    """The child's steps, in the order the kernel wants: group before user, user before exec.

    What every box has alike (limits, no groups, no new privileges) the spawner set for itself, and it is inherited.
    """
    step = "descriptors"
    # parked above anything that is dup2'ed below; close-on-exec, so only 0 to len(fds) reach the program
    said = _socket.socket(fileno=os.dup2(control.fileno(), _PARKED, inheritable=False))
    try:
        null = os.open("/dev/null", os.O_RDONLY)
        parked = [
            os.dup2(fd, _PARKED + 1 + n, inheritable=False) for n, fd in enumerate([null, *fds])
        ]
        for target, fd in enumerate(parked):
            os.dup2(fd, target)
        syscalls.close_range(len(parked), _PARKED - 1)
        syscalls.close_range(parked[-1] + 1, 0xFFFFFFFF)
        step = "session"
        os.setsid()
        syscalls.reset_signals()
        step = "user"
        os.setresgid(template.GID, template.GID, template.GID)
        os.setresuid(template.UID, template.UID, template.UID)
        step = "working directory"
        os.chdir(cwd)
        said.send(marshal.dumps(("started", key)))
        step = "exec"
        os.execve(argv[0], argv, env)  # noqa: S606  no shell on purpose
    except OSError as error:
        said.send(marshal.dumps(("exec", key, error.errno, step)))
    os._exit(127)
