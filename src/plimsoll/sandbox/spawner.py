"""The spawner: a small single-threaded process that clones boxes, so that Plimsoll itself never forks.

Theory of operation. Plimsoll starts it once (`spawn_command`) with one end of a socket. It takes a private mount
namespace, builds the root that boxes show, and then for each request clones process 1 of a box and answers with
its pid. It also tells when a box is gone. Forking costs time in proportion to the forker's memory (41 ms per GiB):
this process stays at some 10 MB by loading nothing but the modules of this package that it needs.

    -> ("box", id, own network, cgroup version)             <- ("box", id, pid) or ("refused", id, errno, text)
       + fds [control, cgroup joins…]                       <- ("gone", pid)
    -> ("try image", id, path)                              <- ("tried", id, why not)  "" if it can be mounted
"""

from __future__ import annotations

import _socket
import gc
import marshal
import os
import resource
import select
import sys

from plimsoll.sandbox import box_init, loop, passing, seccomp, syscalls, template

TYPE_CHECKING = False  # see box_init
if TYPE_CHECKING:
    from typing import Any

# Facts sheet C8 and E2. Processes are limited by the pids cgroup (1,024): an rlimit would be shared with every
# other process of this uid on the host.
RLIMITS = (
    ("RLIMIT_NOFILE", 1024, 1024),
    ("RLIMIT_CORE", 10737418240, 10737418240),
    ("RLIMIT_MEMLOCK", 65536, 65536),
    ("RLIMIT_STACK", 8388608, resource.RLIM_INFINITY),
)
_NAMESPACES = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
)
_BARE_START = (
    "import sys;m=type(sys)('plimsoll');m.__path__=[sys.argv[1]];sys.modules['plimsoll']=m;"
    "from plimsoll.sandbox.spawner import main;main(int(sys.argv[2]),sys.argv[3])"
)


def spawn_command(fd: int, root: str) -> list[str]:
    """The command that starts a spawner on socket `fd` with its root at `root`.

    Isolated and without `site`; the package's own `__init__` is stepped over, since it would load the whole house.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return [sys.executable, "-I", "-S", "-c", _BARE_START, package, str(fd), root]


def main(fd: int, root: str) -> None:
    """Serves until Plimsoll's end of the socket closes; then everything below dies with this process."""
    gc.disable()  # a collection in a child would touch, and so copy, every page
    plimsoll = _socket.socket(fileno=fd)
    try:
        _live(plimsoll, root)
    except ConnectionError:
        pass  # Plimsoll is gone: so are we, and with us every box


def _live(plimsoll: _socket.socket, root: str) -> None:
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, 9)
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        template.build(root)
        _confine()
    except OSError as error:
        plimsoll.send(marshal.dumps(("failed", error.errno, str(error))))
        return
    children = syscalls.block_sigchld()
    plimsoll.send(marshal.dumps(("serving",)))
    _serve(plimsoll, children, root)


def _confine() -> None:
    """What every process of every box inherits: set here once, it costs no box any time."""
    for name, soft, hard in RLIMITS:
        try:
            resource.setrlimit(getattr(resource, name), (soft, hard))
        except (OSError, ValueError) as error:
            raise OSError(1, f"{name} cannot be set to {soft}: {error}") from None
    os.setgroups([])
    os.umask(0o022)
    syscalls.drop_capability_bounds()
    syscalls.join_new_session_keyring()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    seccomp.refuse_keyrings()


def _serve(plimsoll: _socket.socket, children: int, root: str) -> None:
    poll = select.poll()
    poll.register(plimsoll, select.POLLIN)
    poll.register(children, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if children in ready:
            os.read(children, 128)
            _tell_gone(plimsoll)
        if plimsoll.fileno() in ready:
            message, fds = passing.receive(plimsoll)
            if message is None:
                return
            if message[0] == "box":
                _box(message, fds, plimsoll, root)
            else:
                _try_image(message, plimsoll, root)


def _tell_gone(plimsoll: _socket.socket) -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return  # no box is left
        if pid == 0:
            return
        plimsoll.send(marshal.dumps(("gone", pid)))


def _try_image(message: tuple[Any, ...], plimsoll: _socket.socket, root: str) -> None:
    _, number, image = message
    try:
        loop.mount_read_only(image, f"{root}/mnt")
        syscalls.umount_lazily(f"{root}/mnt")
    except OSError as error:
        plimsoll.send(marshal.dumps(("tried", number, str(error))))
    else:
        plimsoll.send(marshal.dumps(("tried", number, "")))


def _box(message: tuple[Any, ...], fds: list[int], plimsoll: _socket.socket, root: str) -> None:
    _, number, own_network, cgroup_version = message
    flags = _NAMESPACES | (syscalls.CLONE_NEWNET if own_network else 0)
    try:
        pid = syscalls.clone(flags)
    except OSError as error:
        plimsoll.send(marshal.dumps(("refused", number, error.errno, str(error))))
    else:
        if pid == 0:
            plimsoll.close()
            control = _socket.socket(fileno=fds[0])
            group = box_init.Group(cgroup_version, fds[1:])
            box_init.run(control, group, root, own_network=own_network)
        plimsoll.send(marshal.dumps(("box", number, pid)))
    for fd in fds:
        os.close(fd)
