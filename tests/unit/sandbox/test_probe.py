"""What the doctor finds, from what a host says about itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot
from plimsoll.sandbox import probe as module
from plimsoll.sandbox.cgroup_host import CgroupHost
from plimsoll.sandbox.probe import (
    Finding,
    cgroups,
    core_pattern,
    disks,
    kernel,
    probe,
    rights,
    swap,
)
from plimsoll.sandbox.trial import Trial

if TYPE_CHECKING:
    from pathlib import Path

V1 = CgroupHost({"memory": "/cg/memory", "pids": "/cg/pids", "cpuacct": "/cg/cpuacct"})
NO_SWAP = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
SWAP = NO_SWAP + "/swapfile                               file\t\t2097148\t\t0\t\t-2\n"


def test_this_host_is_probed_and_all_but_fine_can_be_mended() -> None:
    """Every finding names its topic and says something; a doubtful or broken one comes with a command."""
    found = probe()
    assert [finding.topic for finding in found[:3]] == ["rights", "kernel", "memory limit"]
    assert {"namespaces", "swap", "core dumps"} < {f.topic for f in found}
    assert [f for f in found if not f.text or (f.grade == "fine") != (f.mend is None)] == []


def test_root_is_needed() -> None:
    """Anybody else is told what needs it."""
    assert rights(0) == Finding("rights", "fine", "running as root")
    assert rights(1000) == Finding(
        "rights",
        "broken",
        "running as uid 1000: cgroups, mounts and namespaces need root",
        "sudo plimsoll …",
    )


@pytest.mark.parametrize(
    ("release", "machine", "grade", "text"),
    [
        ("5.12.0", "x86_64", "fine", "Linux 5.12.0 on x86_64"),
        ("6.1.0-21-arm64", "aarch64", "fine", "Linux 6.1.0-21-arm64 on aarch64"),
        ("10.0.1", "x86_64", "fine", "Linux 10.0.1 on x86_64"),
        ("5.11.22", "x86_64", "broken", "Linux 5.11.22: mount_setattr(2) came with 5.12"),
        (
            "4.18.0-553.el8",
            "x86_64",
            "broken",
            "Linux 4.18.0-553.el8: mount_setattr(2) came with 5.12",
        ),
        ("6.6.0", "riscv64", "broken", "riscv64: only x86_64 and aarch64 are known"),
    ],
)
def test_the_kernel_is_new_enough_and_known(
    release: str, machine: str, grade: str, text: str
) -> None:
    """5.12 on two architectures; versions are compared as numbers."""
    finding = kernel(release, machine)
    assert (finding.topic, finding.grade, finding.text) == ("kernel", grade, text)
    assert (finding.mend is None) == (grade == "fine")


def test_without_a_memory_cgroup_nothing_is_true() -> None:
    """One finding, broken, with both ways to mend it."""
    (finding,) = cgroups(CgroupHost())
    assert (finding.topic, finding.grade) == ("memory limit", "broken")
    assert finding.text == "no memory cgroup is mounted, so no limit and no figure could be true"
    assert finding.mend == (
        "mount -t cgroup2 none /sys/fs/cgroup (or boot with cgroup_enable=memory)"
    )


def test_version_1_has_exact_peaks() -> None:
    """Its high-water mark restarts on every kernel."""
    assert list(cgroups(V1)) == [
        Finding("memory limit", "fine", "cgroup v1 at /cg/memory"),
        Finding(
            "peaks", "fine", "memory.max_usage_in_bytes can be restarted: both peaks are exact"
        ),
    ]


def test_version_1_without_pids_does_not_limit_processes() -> None:
    """Said, not hidden: a fork bomb would not be stopped."""
    *_, last = cgroups(CgroupHost({"memory": "/cg/memory"}))
    assert last == Finding(
        "process limit",
        "doubtful",
        "no pids controller: the limit of 1,024 processes is not enforced",
        "mount -t cgroup -o pids none /sys/fs/cgroup/pids",
    )


@pytest.mark.parametrize(
    ("mode", "grade", "mend"),
    [
        (0o644, "fine", None),
        (0o444, "doubtful", "Linux 6.12 or later"),
        (None, "doubtful", "Linux 6.12 or later"),
    ],
)
def test_version_2_tells_whose_the_peaks_are(
    tmp_path: Path, mode: int | None, grade: str, mend: str | None
) -> None:
    """By the mode of memory.peak: writable since 6.12, read-only from 5.19, missing before. Root is no exception."""
    group = tmp_path / "system.slice"
    group.mkdir()
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")
    if mode is not None:
        (group / "memory.peak").write_text("4096\n")
        (group / "memory.peak").chmod(mode)
    limit, peaks = cgroups(CgroupHost({}, str(tmp_path)))
    assert limit == Finding("memory limit", "fine", f"cgroup v2 at {tmp_path}")
    assert (peaks.topic, peaks.grade, peaks.mend) == ("peaks", grade, mend)


@pytest.mark.parametrize(
    ("swaps", "memsw", "grade", "text"),
    [
        (NO_SWAP, False, "fine", "the host has none"),
        (SWAP, True, "fine", "the host has swap; environments are shut out of it"),
        (
            SWAP,
            False,
            "doubtful",
            "the host swaps and this kernel does not account for it; swappiness is set to 0 instead",
        ),
    ],
)
def test_swap_is_closed_or_told(
    tmp_path: Path, swaps: str, memsw: bool, grade: str, text: str
) -> None:
    """On version 1 it depends on swap accounting, if the host swaps at all."""
    if memsw:
        (tmp_path / "memory.memsw.limit_in_bytes").touch()
    finding = swap(swaps, CgroupHost({"memory": str(tmp_path)}))
    assert (finding.topic, finding.grade, finding.text) == ("swap", grade, text)


def test_version_2_accounts_for_swap_by_itself() -> None:
    """No boot option is needed."""
    assert swap(SWAP, CgroupHost({}, "/sys/fs/cgroup")).grade == "fine"


class Disk:
    """A file that would be mounted, and how that goes."""

    def __init__(self, path: Path, trial: Trial) -> None:
        path.touch()
        self.path = path
        self.trial = trial
        self.fd = -1

    def make(self) -> int:
        """As `disks` asks for one."""
        self.fd = os.open(self.path, os.O_RDWR)
        return self.fd

    def try_disk(self, file: int) -> Trial:
        """As `trial.try_disk`."""
        assert file == self.fd
        return self.trial

    @property
    def is_closed(self) -> bool:
        """Whether nobody holds the file any more."""
        return not os.path.exists(f"/proc/self/fd/{self.fd}")


@pytest.mark.parametrize(
    ("direct_io", "grade", "mend"),
    [
        (True, "fine", None),
        (False, "doubtful", "set PLIMSOLL_HOME to a folder on ext4, xfs or btrfs"),
    ],
)
def test_a_disk_that_can_be_mounted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    direct_io: bool,
    grade: str,
    mend: str | None,
) -> None:
    """Figures are exact; a `/tmp` on disk is fine where it goes around the host's page cache."""
    disk = Disk(tmp_path / "disk", Trial(None, direct_io))
    monkeypatch.setattr(module, "try_disk", disk.try_disk)
    accounting, on_disk = disks(disk.make)
    assert accounting == Finding(
        "accounting", "fine", "exact: each environment has a page cache of its own"
    )
    assert (on_disk.topic, on_disk.grade, on_disk.mend) == ("/tmp on disk", grade, mend)
    assert disk.is_closed


def test_a_disk_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What that costs, for figures and for /tmp, with the kernel's reason and what mends it; functions run all the same."""
    disk = Disk(tmp_path / "disk", Trial("Operation not permitted", mend="run as root"))
    monkeypatch.setattr(module, "try_disk", disk.try_disk)
    why = "a loop mount is refused: Operation not permitted"
    assert list(disks(disk.make)) == [
        Finding("accounting", "doubtful", f"shared, and reports say so: {why}", "run as root"),
        Finding("/tmp on disk", "doubtful", f"--tmp-backing disk is refused: {why}", "run as root"),
    ]
    assert disk.is_closed


def test_a_disk_that_cannot_even_be_made() -> None:
    """Whoever makes it says why not."""

    def make() -> int:
        raise HostCannot("this host has no mke2fs", mend="apt-get install e2fsprogs")

    why, mend = "this host has no mke2fs", "apt-get install e2fsprogs"
    assert list(disks(make)) == [
        Finding("accounting", "doubtful", f"shared, and reports say so: {why}", mend),
        Finding("/tmp on disk", "doubtful", f"--tmp-backing disk is refused: {why}", mend),
    ]


@pytest.mark.parametrize(
    ("pattern", "grade", "text"),
    [
        (
            "core\n",
            "doubtful",
            "they go to the working directory as core, and /var/task is read-only; on AWS they fill /tmp",
        ),
        (
            "/var/crash/%e\n",
            "doubtful",
            "they go to /var/crash/%e, which is read-only in an environment; on AWS they fill /tmp",
        ),
        ("/tmp/core.%e.%p\n", "fine", "core_pattern is /tmp/core.%e.%p"),
        (
            "|/usr/lib/systemd/systemd-coredump %P %u %g %s\n",
            "doubtful",
            "they are piped to /usr/lib/systemd/systemd-coredump on the host; on AWS they fill /tmp",
        ),
    ],
)
def test_core_dumps_end_where_the_pattern_says(pattern: str, grade: str, text: str) -> None:
    """A pipe takes them to the host, where they fill no function's /tmp."""
    finding = core_pattern(pattern)
    assert (finding.topic, finding.grade, finding.text) == ("core dumps", grade, text)
