"""The box, seen from inside by programs that look around and misbehave."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from plimsoll.memory import PLATFORM_BYTES
from tests.kernel.charges import limit_bytes, memory_groups
from tests.kernel.conftest import invoke, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.fleet import Fleet
    from plimsoll.model import Function

MIB = 1 << 20


async def inside(
    fleet: Fleet, deploy: Callable[..., Function], body: str, **changed: object
) -> object:
    """What an expression gives inside the box."""
    lines = "import os, resource, socket, subprocess\ndef handler(e, c):\n"
    completed = await invoke(fleet, deploy(f"{lines}  {body}\n", **changed))
    assert completed.report.status == "success", response(completed)
    return response(completed)


@pytest.mark.parametrize(
    "path", ["/", "/var/task", "/var/runtime", "/var/lang", "/opt", "/usr/bin", "/etc"]
)
async def test_everything_but_tmp_is_read_only(
    fleet: Fleet, deploy: Callable[..., Function], path: str
) -> None:
    """Writing there is refused by the kernel, not only by modes."""
    body = f"return os.statvfs({path!r}).f_flag & os.ST_RDONLY"
    assert await inside(fleet, deploy, body) == os.ST_RDONLY


async def test_the_function_is_an_unprivileged_user_for_good(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """uid 993, gid 990, no other groups, no capability, and no way to gain one."""
    body = (
        "s = open('/proc/self/status').read(); "
        "return [os.getuid(), os.getgid(), os.getgroups(), "
        "[l.split()[1] for l in s.splitlines() if l.startswith(('CapEff', 'CapBnd', 'NoNewPrivs'))]]"
    )
    none = "0" * 16
    assert await inside(fleet, deploy, body) == [993, 990, [990], [none, none, "1"]] or (
        await inside(fleet, deploy, body) == [993, 990, [], [none, none, "1"]]
    )


async def test_limits_are_those_of_lambda(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """1,024 descriptors; core files to 10 GiB; address space without a limit."""
    body = "return [resource.getrlimit(n) for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_AS)]"
    assert await inside(fleet, deploy, body) == [[1024, 1024], [10737418240] * 2, [-1, -1]]


async def test_no_more_than_1024_processes(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """A fork bomb ends at the limit with EAGAIN, and the runtime lives."""
    body = (
        "n = 0\n"
        "  try:\n"
        "    while n < 2000:\n"
        "      if os.fork() == 0:\n"
        "        import signal; signal.pause()\n"
        "      n += 1\n"
        "  except BlockingIOError:\n"
        "    pass\n"
        "  return n"
    )
    made = await inside(fleet, deploy, body, memory_mib=2048, timeout_s=30)
    assert isinstance(made, int)
    assert 1000 <= made < 1024


async def test_no_host_process_is_visible(fleet: Fleet, deploy: Callable[..., Function]) -> None:
    """Only the function's own processes are in /proc."""
    body = "return [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]"
    assert await inside(fleet, deploy, body) == []


@pytest.mark.parametrize(
    "path", ["/root", "/home", "/etc/shadow", "/etc/ssh", "/srv", "/run", "/usr/local/lib", "/sys", "/dev/shm", "/dev/kmsg"]
)  # fmt: skip
async def test_no_secret_of_the_host_is_visible(
    fleet: Fleet, deploy: Callable[..., Function], path: str
) -> None:
    """What the function need not see does not exist."""
    assert await inside(fleet, deploy, f"return os.path.exists({path!r})") is False


async def test_the_environment_is_built_from_scratch(
    fleet: Fleet, deploy: Callable[..., Function], monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS's variables and the function's own; nothing that Plimsoll itself was started with."""
    monkeypatch.setenv("A_SECRET_OF_THE_HOST", "1")
    function = deploy(
        "import os\ndef handler(e, c): return dict(os.environ)\n", environment={"MINE": "yes"}
    )
    got = response(await invoke(fleet, function))
    assert (got["MINE"], got["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) == ("yes", "128")
    assert got["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python")
    assert got["LAMBDA_TASK_ROOT"] == "/var/task"
    assert {"A_SECRET_OF_THE_HOST", "HOME"} & got.keys() == set()


async def test_network_none_has_loopback_only(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """Without a network the Runtime API still answers, on AWS's own port, and nothing else is there."""
    body = (
        "return [os.environ['AWS_LAMBDA_RUNTIME_API'], [n for _, n in socket.if_nameindex()][:1]]"
    )
    assert await inside(fleet, deploy, body, network="none") == ["127.0.0.1:9001", ["lo"]]


async def test_tmp_is_a_tmpfs_of_the_size_asked_for(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """df shows it, and one byte more is ENOSPC."""
    body = "s = os.statvfs('/tmp'); return s.f_blocks * s.f_frsize"
    assert await inside(fleet, deploy, body, tmp_mib=600) == 600 * MIB


async def test_a_symlink_in_tmp_does_not_lead_the_meter_out(
    fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """Links to folders of the host are counted as links, not followed."""
    function = deploy(
        "import os\ndef handler(e, c): os.symlink('/usr', '/tmp/usr'); os.symlink('/etc/passwd', '/tmp/p')\n"
    )
    completed = await invoke(fleet, function)
    assert completed.report.tmp.files == ()


async def test_the_memory_limit_reads_back_and_swap_is_closed(
    either_fleet: Fleet, deploy: Callable[..., Function]
) -> None:
    """Memory Size is what the kernel holds, less the platform's part and pages that others paid for; swap adds nothing."""
    function = deploy("def handler(e, c): ...\n", memory_mib=256)
    report = (await invoke(either_fleet, function)).report
    (group,) = memory_groups()
    limit = limit_bytes(group)
    room = 256 * MIB - PLATFORM_BYTES
    if report.accounting == "exact":
        assert limit == room
    else:
        assert room - report.memory.file_bytes - 4096 <= limit <= room
    both = group / "memory.memsw.limit_in_bytes"
    assert not both.exists() or int(both.read_text()) == limit
