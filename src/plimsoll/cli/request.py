"""What `invoke` and `diagnose` are asked for: their options, in one list, and the function that they describe."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from plimsoll.deployment import (
    check_interval,
    check_memory,
    check_timeout,
    check_tmp,
    choose_handler,
    choose_runtime,
    merge_layers,
    parse_env,
    read_event,
    resolve,
)
from plimsoll.deployment.limits import INTERVAL_S, MEMORY_MIB, TIMEOUT_S, TMP_MIB
from plimsoll.model import Function
from plimsoll.report import check_report_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.model import Network, TmpBacking
    from plimsoll.model.memory import Accounting
    from plimsoll.runtimes import RuntimeStore

Format = Literal["table", "text", "json"]

OPTIONS = (
    click.argument("path", type=click.Path(path_type=Path)),
    click.option("--handler", help="file.export. Default: index.handler, app.lambda_handler, … the first that exists."),
    click.option("--runtime", help="Such as nodejs20.x. Default: by the file's kind."),
    click.option("--memory", type=int, default=128, show_default=True, metavar="MB",
                 help=f"MemorySize, {MEMORY_MIB[0]} to {MEMORY_MIB[1]}."),
    click.option("--tmp-size", type=int, default=512, show_default=True, metavar="MB",
                 help=f"EphemeralStorage, {TMP_MIB[0]} to {TMP_MIB[1]}."),
    click.option("--tmp-backing", type=click.Choice(["tmpfs", "disk"]), default="tmpfs", show_default=True,
                 help="What holds /tmp: memory, the stricter; or a disk with its page cache, as on AWS today."),
    click.option("--accounting", type=click.Choice(["exact", "shared"]), default=None,
                 help="Whose the page cache is: the environment's own; or the host's, corrected. "
                      "Default: exact where this host can."),
    click.option("--timeout", type=float, default=3, show_default=True, metavar="S",
                 help=f"The function's timeout in seconds, {TIMEOUT_S[0]} to {TIMEOUT_S[1]}."),
    click.option("--event", metavar="JSON|@FILE|-", help="The event. Default: {}."),
    click.option("--env", multiple=True, metavar="K=V", help="May be given several times."),
    click.option("--layer", multiple=True, type=click.Path(path_type=Path), help="A folder or a zip; up to five."),
    click.option("--interval", type=float, default=0, metavar="S",
                 help=f"Seconds between invocations, {INTERVAL_S[0]} to {INTERVAL_S[1]}."),
    click.option("--network", type=click.Choice(["host", "none"]), default="host", show_default=True,
                 help="What the function reaches: what the host does, or loopback alone."),
    click.option("--format", "form", type=click.Choice(["table", "text", "json"]), default="table", show_default=True,
                 help="A table; the log as CloudWatch shows it; a JSON object a line."),
    click.option("--report", type=click.Path(path_type=Path), help="Write a picture: .html .svg .png .json."),
)  # fmt: skip


def with_options(command: Callable[..., int]) -> Callable[..., int]:
    """Adds `OPTIONS` to a command, in their order."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Request:
    """The options, read and checked as far as they can be without the code."""

    path: Path
    handler: str | None
    runtime: str | None
    memory_mib: int
    tmp_mib: int
    tmp_backing: TmpBacking
    accounting: Accounting | None
    timeout_s: float
    payload: bytes
    environment: dict[str, str]
    layers: tuple[Path, ...]
    interval_s: float
    network: Network
    form: Format
    report: Path | None

    def function(self, staging: Path, store: RuntimeStore) -> Function:
        """Stages the code and chooses what was left open. Raises `CallerError`."""
        package = resolve(self.path, staging)
        installed = [runtime.name for runtime in store.installed()]
        runtime = store.get(choose_runtime(package, self.runtime, installed, self.handler))
        merged = merge_layers(self.layers, package.root, staging)
        return Function(
            name=package.name,
            runtime=runtime.name,
            handler=choose_handler(package, runtime.language, self.handler),
            code_root=package.root,
            memory_mib=self.memory_mib,
            tmp_mib=self.tmp_mib,
            tmp_backing=self.tmp_backing,
            timeout_s=self.timeout_s,
            environment=self.environment,
            layers=(merged,) if merged else (),
            network=self.network,
        )


def read_request(given: dict[str, Any]) -> Request:
    """From the parsed options. Raises `CallerError` for what is out of range or malformed."""
    if given["report"] is not None:
        check_report_path(given["report"])
    return Request(
        path=given["path"],
        handler=given["handler"],
        runtime=given["runtime"],
        memory_mib=check_memory(given["memory"]),
        tmp_mib=check_tmp(given["tmp_size"]),
        tmp_backing=given["tmp_backing"],
        accounting=given["accounting"],
        timeout_s=check_timeout(given["timeout"]),
        payload=read_event(given["event"], sys.stdin.buffer if sys.stdin else None),
        environment=parse_env(given["env"]),
        layers=tuple(given["layer"]),
        interval_s=check_interval(given["interval"]),
        network=given["network"],
        form=given["form"],
        report=given["report"],
    )
