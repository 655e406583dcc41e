"""Which control groups a host has, from its own table of mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot
from plimsoll.sandbox.cgroup_host import CgroupHost, find_cgroups, this_host
from plimsoll.sandbox.cgroup_v1 import CgroupV1
from plimsoll.sandbox.cgroup_v2 import CgroupV2
from tests.unit.sandbox.conftest import LIMIT_BYTES, NAME, lay_out_v1, lay_out_v2

if TYPE_CHECKING:
    from pathlib import Path

DEBIAN_HYBRID = """\
24 31 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
25 31 0:23 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
31 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
32 24 0:28 / {}/sys/fs/cgroup ro,nosuid,nodev,noexec shared:8 - tmpfs tmpfs ro,size=4096k,nr_inodes=1024,mode=755
33 32 0:29 / {}/sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
34 32 0:30 / {}/sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:10 - cgroup cgroup rw,xattr,name=systemd
38 32 0:34 / {}/sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev,noexec,relatime shared:15 - cgroup cgroup rw,cpu,cpuacct
39 32 0:35 / {}/sys/fs/cgroup/pids rw,nosuid,nodev,noexec,relatime shared:16 - cgroup cgroup rw,pids
40 32 0:36 / {}/sys/fs/cgroup/memory rw,nosuid,nodev,noexec,relatime shared:17 - cgroup cgroup rw,memory
41 32 0:37 / {}/sys/fs/cgroup/net_cls,net_prio rw,relatime shared:18 - cgroup cgroup rw,net_cls,net_prio
"""
PURE_V2 = """\
23 29 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:13 - proc proc rw
29 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
35 24 0:30 / {}/sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
"""
CONTAINER_V1 = """\
911 610 0:52 / / rw,relatime master:261 - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/u,workdir=/w
917 914 0:56 / {}/sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755
921 917 0:33 /docker/3f2a9c {}/sys/fs/cgroup/cpu,cpuacct ro,nosuid,nodev,noexec,relatime master:15 - cgroup cgroup rw,cpu,cpuacct
925 917 0:36 /docker/3f2a9c {}/sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:17 - cgroup cgroup rw,memory
"""
CONTAINER_V2 = """\
911 610 0:52 / / rw,relatime - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/u,workdir=/w
915 914 0:30 / {}/sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot
"""


def find(root: Path, mountinfo: str, controllers: dict[str, str]) -> CgroupHost:
    """The answer for a recorded table whose group trees stand under `root`."""
    for folder, text in controllers.items():
        path = root / "sys/fs/cgroup" / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "cgroup.controllers").write_text(text)
    return find_cgroups(mountinfo.replace("{}", str(root)))


def test_a_hybrid_host_has_its_memory_in_version_1(tmp_path: Path) -> None:
    """Debian 10 and hosts that boot alike: the unified tree is there, the memory controller is not in it."""
    host = find(tmp_path, DEBIAN_HYBRID, {"unified": "\n"})
    tree = f"{tmp_path}/sys/fs/cgroup"
    assert host.v1_roots == {
        "memory": f"{tree}/memory",
        "pids": f"{tree}/pids",
        **dict.fromkeys(("cpu", "cpuacct"), f"{tree}/cpu,cpuacct"),
    }
    assert (host.v2_root, host.version) == (None, 1)


@pytest.mark.parametrize("mountinfo", [PURE_V2, CONTAINER_V2])
def test_a_unified_tree_with_memory_is_version_2(tmp_path: Path, mountinfo: str) -> None:
    """Today's hosts, and containers on them: one tree, found where it is mounted."""
    host = find(tmp_path, mountinfo, {"": "cpuset cpu io memory hugetlb pids rdma misc\n"})
    assert host == CgroupHost({}, f"{tmp_path}/sys/fs/cgroup")
    assert host.version == 2


@pytest.mark.parametrize("controllers", [{"": "cpuset cpu io pids\n"}, {}])
def test_a_unified_tree_without_memory_is_none(tmp_path: Path, controllers: dict[str, str]) -> None:
    """cgroup_disable=memory, or a container that was handed nothing: no version, so no limit could be true."""
    host = find(tmp_path, PURE_V2, controllers)
    assert (host, host.version) == (CgroupHost(), None)


def test_in_a_container_the_mounted_part_counts(tmp_path: Path) -> None:
    """The container's own group is the root that it sees; a controller that it was not given is missing."""
    host = find(tmp_path, CONTAINER_V1, {})
    tree = f"{tmp_path}/sys/fs/cgroup"
    assert host.v1_roots == {
        "memory": f"{tree}/memory",
        **dict.fromkeys(("cpu", "cpuacct"), f"{tree}/cpu,cpuacct"),
    }


def test_the_first_mount_of_a_controller_counts(tmp_path: Path) -> None:
    """A second mount of the same tree, as some container engines leave, changes nothing."""
    again = PURE_V2 + "99 29 0:30 / {}/sys/fs/cgroup/again rw - cgroup2 cgroup2 rw\n"
    twice = DEBIAN_HYBRID + "99 31 0:36 / /elsewhere rw - cgroup cgroup rw,memory\n"
    host = find(tmp_path, again, {"": "memory", "again": "memory"})
    assert host.v2_root == f"{tmp_path}/sys/fs/cgroup"
    assert find_cgroups(twice).v1_roots["memory"] == "{}/sys/fs/cgroup/memory"


def test_the_running_host_is_read() -> None:
    """Whatever the host is, its table of mounts can be read, and memory has one owner at most."""
    host = this_host()
    assert host.version in {None, 1, 2}
    assert (host.version == 1) == ("memory" in host.v1_roots and host.v2_root is None)


def test_a_host_without_memory_cgroup_is_refused() -> None:
    """The message says what follows from it and how the host gets one."""
    with pytest.raises(HostCannot) as raised:
        CgroupHost({"pids": "/sys/fs/cgroup/pids"}).create(NAME, LIMIT_BYTES)
    assert raised.value.message == (
        "this host has no memory cgroup, so no memory limit can be true"
    )
    assert raised.value.mend == (
        "boot with cgroup_enable=memory, or mount cgroup2 at /sys/fs/cgroup"
    )


def test_a_group_is_of_the_version_that_owns_memory(tmp_path: Path) -> None:
    """The same call makes either; where both trees stand, the one with the memory controller is taken."""
    old, new = lay_out_v1(tmp_path / "v1"), lay_out_v2(tmp_path / "v2")
    roots = {name: str(tmp_path / "v1" / name) for name in ("memory", "pids", "cpuacct")}
    old.made.append(CgroupHost(roots).create(NAME, LIMIT_BYTES))
    new.made.append(CgroupHost({}, str(tmp_path / "v2")).create(NAME, LIMIT_BYTES))
    assert [type(old.made[0]), type(new.made[0])] == [CgroupV1, CgroupV2]
    old.close()
    new.close()


@pytest.mark.parametrize("version", [1, 2])
def test_a_runs_groups_go_and_other_runs_stay(tmp_path: Path, version: int) -> None:
    """All controllers' groups of the run are removed; the common parent goes with the last run."""
    roots = ["memory", "pids"] if version == 1 else ["unified"]
    for root in roots:
        (tmp_path / root / "plimsoll" / "1-dead" / "2").mkdir(parents=True)
        (tmp_path / root / "plimsoll" / "3-alive").mkdir()
    v1 = {name: str(tmp_path / name) for name in roots} if version == 1 else {}
    host = CgroupHost(v1, None if version == 1 else str(tmp_path / "unified"))
    host.remove_run("1-dead")
    left = [[path.name for path in (tmp_path / root / "plimsoll").iterdir()] for root in roots]
    assert left == [["3-alive"]] * len(roots)
    host.remove_run("3-alive")
    host.remove_run("never-was")
    assert [list((tmp_path / root).iterdir()) for root in roots] == [[]] * len(roots)
