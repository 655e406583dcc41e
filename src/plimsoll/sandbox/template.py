"""The root that every box shows: built once by the spawner, in a mount namespace of its own.

Rule: what is not named here does not exist inside a box. System folders come read-only from the host, because the
language runtimes need its C library; everything that could hold a secret (`/etc`, `/home`, `/root`, `/var`,
`/usr/local`, `/srv`, …) is either left out or written anew.
"""

from __future__ import annotations

import os
import stat

from plimsoll.sandbox import syscalls

SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib64", "lib32", "libexec", "share")
MOUNT_POINTS = ("proc", "tmp", "opt", "mnt", "var/task", "var/lang", "var/runtime", "usr/local/bin")
COPIED = (
    "etc/ld.so.cache",
    "etc/localtime",
    "etc/mime.types",
    "etc/os-release",
    "etc/protocols",
    "etc/resolv.conf",
    "etc/services",
    "etc/ssl/openssl.cnf",
)
BOUND = ("etc/alternatives", "etc/ssl/certs", "etc/pki/ca-trust", "etc/fonts")
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}
# facts sheet E2: uid 993, gid 990, sbx_user1051 (2025); the name resolves, HOME is not set in the environment
USER, UID, GID = "sbx_user1051", 993, 990
WRITTEN = {
    "etc/passwd": f"root:x:0:0:root:/:/sbin/nologin\n{USER}:x:{UID}:{GID}::/home/{USER}:/sbin/nologin\n",
    "etc/group": f"root:x:0:\n{USER}:x:{GID}:\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 sandbox.localdomain sandbox\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def build(root: str) -> None:
    """Builds the tree at `root`, an existing folder, as mounts of the calling process's namespace.

    The caller has a private mount namespace: nothing of this shows on the host, and it goes with the process.
    Raises `OSError` naming the mount or file.
    """
    syscalls.mount("tmpfs", root, "tmpfs", syscalls.MS_NOSUID, "mode=755,size=16m")
    for folder in (*MOUNT_POINTS, "etc", "dev", "usr"):
        os.makedirs(f"{root}/{folder}", exist_ok=True)
    _write_files(root)
    _make_devices(root)
    for folder in SYSTEM_FOLDERS:
        _show(f"/usr/{folder}", f"{root}/usr/{folder}")
    for folder in ("bin", "sbin", "lib", "lib64", "lib32"):
        _show(f"/{folder}", f"{root}/{folder}")
    for folder in BOUND:
        _show(f"/{folder}", f"{root}/{folder}")
    syscalls.set_mount_attributes(
        root, syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID, recursive=True
    )


def _show(source: str, target: str) -> None:
    """Binds a folder of the host, repeats a link of it (merged /usr), or leaves out what the host has not."""
    try:
        mode = os.lstat(source).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(source), target)
    elif stat.S_ISDIR(mode):
        os.makedirs(target, exist_ok=True)
        syscalls.mount(source, target, None, syscalls.MS_BIND)


def _write_files(root: str) -> None:
    for name, text in WRITTEN.items():
        _write(f"{root}/{name}", text.encode())
    for name in COPIED:
        try:
            with open(f"/{name}", "rb") as source:
                content = source.read()
        except FileNotFoundError:
            continue
        os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
        _write(f"{root}/{name}", content)


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as target:
        target.write(content)
    os.chmod(path, 0o644)


def _make_devices(root: str) -> None:
    for name, (major, minor) in DEVICES.items():
        path = f"{root}/dev/{name}"
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        except PermissionError:  # a container without CAP_MKNOD: the host's own node will do
            _write(path, b"")
            syscalls.mount(f"/dev/{name}", path, None, syscalls.MS_BIND)
        else:
            os.chmod(path, 0o666)  # noqa: S103  device nodes; the umask took bits away
    for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        os.symlink(f"/proc/self/fd{target}", f"{root}/dev/{name}")
