"""Installs a Node runtime: the binary from npm's `node-linux-<arch>`, AWS's client from npm's `aws-lambda-ric`.

Rule: the official client's JavaScript is copied as published; beside it goes our transport (see
`inside/nodejs/rapid-client.node.js`).
"""

from __future__ import annotations

import platform
import shutil
from typing import TYPE_CHECKING

from plimsoll.errors import HostCannot
from plimsoll.runtimes.catalog import NODE_CLIENTS
from plimsoll.runtimes.recipe import inside_files, recipe
from plimsoll.runtimes.runtime import Manifest
from plimsoll.runtimes.tools import npm_unpack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}


def install(name: str, making: Path, tools: Path, on_progress: Callable[[str], None]) -> Manifest:
    """Fills `making/lang` and `making/runtime`. Raises `HostCannot`."""
    major = name.removeprefix("nodejs").removesuffix(".x")
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None:
        raise HostCannot(f"there is no Node build for {platform.machine()}")
    on_progress(f"Node {major} (npm package node-linux-{architecture})")
    node = making / "fetched-node"
    version = npm_unpack(f"node-linux-{architecture}@{major}", node, tools)
    binaries = making / "lang/bin"
    binaries.mkdir(parents=True)
    shutil.move(node / "package/bin/node", binaries / "node")
    (binaries / "node").chmod(0o755)
    shutil.rmtree(node)
    return Manifest(
        name, "nodejs", version, install_client(name, making, tools, on_progress), recipe(name)
    )


def install_client(name: str, making: Path, tools: Path, on_progress: Callable[[str], None]) -> str:
    """Fills `making/runtime`; gives package and version. Raises `HostCannot`."""
    client = NODE_CLIENTS[name]
    on_progress(f"AWS's runtime client (npm package aws-lambda-ric {client})")
    fetched = making / "fetched-client"
    npm_unpack(f"aws-lambda-ric@{client}", fetched, tools)
    _lay_out_client(fetched / "package", making / "runtime")
    shutil.rmtree(fetched)
    return f"aws-lambda-ric {client}"


def _lay_out_client(package: Path, runtime: Path) -> None:
    runtime.mkdir()
    library = (
        package / "dist/index.mjs"
    )  # version 3; version 4 has a program at its top, and starts itself
    shutil.copy(library if library.exists() else package / "index.mjs", runtime / "index.mjs")
    for file in inside_files("nodejs"):
        if library.exists() or file.name != "bootstrap.mjs":
            (runtime / file.name).write_bytes(file.read_bytes())
    for name in ("LICENSE", "NOTICE", "THIRD-PARTY-LICENSES"):
        shutil.copy(package / name, runtime / f"aws-lambda-ric.{name}")
    for path in runtime.iterdir():
        path.chmod(0o644)
