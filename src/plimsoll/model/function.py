"""What is to be run: a function's code, its runtime and its configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TmpBacking = Literal["tmpfs", "disk"]
Network = Literal["host", "none"]


@dataclass(frozen=True, slots=True)
class Function:
    """One function's configuration, as CreateFunction would hold it, and the folder its code lies in.

    `code_root` is a folder that becomes `/var/task`; `layers` are folders merged into `/opt` in their order.
    """

    name: str
    runtime: str
    """AWS's identifier, such as `nodejs20.x`."""
    handler: str
    code_root: Path
    memory_mib: int = 128
    """MemorySize. AWS writes MB and means MiB."""
    tmp_mib: int = 512
    """EphemeralStorage.Size, in MiB."""
    tmp_backing: TmpBacking = "tmpfs"
    timeout_s: float = 3.0
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Path, ...] = ()
    network: Network = "host"
    version: str = "$LATEST"
    region: str = "us-east-1"
    account_id: str = "123456789012"

    @property
    def arn(self) -> str:
        """The unqualified function ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"

    @property
    def memory_bytes(self) -> int:
        """MemorySize in bytes."""
        return self.memory_mib << 20

    @property
    def tmp_bytes(self) -> int:
        """EphemeralStorage in bytes."""
        return self.tmp_mib << 20
