"""Arithmetic on memory: the kernel's text to numbers, numbers to a breakdown. No file is opened here."""

from plimsoll.memory.breakdown import break_down
from plimsoll.memory.calibration import HELLO_WORLD_MIB, PLATFORM_BYTES
from plimsoll.memory.cgroup_text import CgroupMemory, parse_flat, parse_v1, parse_v2

__all__ = [
    "HELLO_WORLD_MIB",
    "PLATFORM_BYTES",
    "CgroupMemory",
    "break_down",
    "parse_flat",
    "parse_v1",
    "parse_v2",
]
