"""The one constant that a host cannot measure, and the figures of AWS's that it was chosen by.

Theory of operation. What the function's own processes take, the kernel tells. On AWS there is more in the environment:
the guest's own machinery. A static program that does nothing reports 15 to 17 MB there, whatever the memory size. That
share is `PLATFORM_BYTES`: in every figure, and kept free under the limit. It and the images' readahead
(`sandbox.loop`) were chosen together, once, so that hello-world comes out as on AWS for all runtimes
(docs/decisions/0012). `scripts/bench calibration` shows the table, `tests/kernel/test_calibration.py` holds it.
"""

from __future__ import annotations

from types import MappingProxyType

PLATFORM_BYTES = 29 << 19

HELLO_WORLD_MIB = MappingProxyType(
    {
        "python3.11": 34.0,
        "python3.12": 36.4,
        "python3.13": 36.0,
        "nodejs20.x": 67.0,
        "nodejs22.x": 74.1,
        "nodejs24.x": 76.1,
        "provided.al2023": 15.1,
    }
)
"""`Max Memory Used` of hello-world on AWS: a public daily benchmark, x86_64, zip, medians of 40 days to 2026-08-22, the
same at each memory size. `provided.al2023` is its Rust function; the one in Go has 17.0."""
TOLERANCE = 0.10
