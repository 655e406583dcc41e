"""A function's configuration and what follows from it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from plimsoll.model import Function

PLAIN = Function("f", "nodejs20.x", "index.handler", Path("/code"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_mib", 128),
        ("tmp_mib", 512),
        ("timeout_s", 3.0),
        ("version", "$LATEST"),
        ("tmp_backing", "tmpfs"),
        ("network", "host"),
        ("environment", {}),
        ("layers", ()),
    ],
)
def test_defaults_are_lambdas(name: str, value: object) -> None:
    """What nobody configured is what CreateFunction would take, and the stricter backing of /tmp."""
    assert value == getattr(PLAIN, name)


def test_arn_is_unqualified() -> None:
    """Region, account and name, and no qualifier."""
    function = Function(
        "orders",
        "python3.12",
        "app.handler",
        Path("/code"),
        region="eu-west-1",
        account_id="000000000001",
    )
    assert function.arn == "arn:aws:lambda:eu-west-1:000000000001:function:orders"


def test_sizes_are_mib() -> None:
    """AWS writes MB and means MiB, for the memory as for /tmp."""
    assert (PLAIN.memory_bytes, PLAIN.tmp_bytes) == (134_217_728, 536_870_912)


def test_frozen() -> None:
    """A function that an environment was made for cannot change under it."""
    with pytest.raises(FrozenInstanceError):
        PLAIN.memory_mib = 256  # type: ignore[misc]
