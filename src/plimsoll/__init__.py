"""Plimsoll: AWS Lambda on your own Linux machine, with memory that is real.

The public names of the package; everything else may move between releases.
"""

from plimsoll.errors import CallerError, FunctionFault, PlatformError, PlimsollError
from plimsoll.model import (
    Cause,
    Completed,
    Evidence,
    Function,
    Invocation,
    MemoryBreakdown,
    Outcome,
    Report,
    TmpFile,
    TmpUsage,
    Verdict,
)

__all__ = [
    "CallerError",
    "Cause",
    "Completed",
    "Evidence",
    "Function",
    "FunctionFault",
    "Invocation",
    "MemoryBreakdown",
    "Outcome",
    "PlatformError",
    "PlimsollError",
    "Report",
    "TmpFile",
    "TmpUsage",
    "Verdict",
    "__version__",
]

__version__ = "0.1.0"
