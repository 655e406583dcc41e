"""Frozen values that cross the whole house; no behaviour beyond arithmetic on themselves.

A frozen `Invocation` goes down, a frozen `Completed(outcome, report)` comes up.
"""

from plimsoll.model.function import Function, Network, TmpBacking
from plimsoll.model.invocation import Completed, Invocation, LogEvent, Outcome, Report, Status
from plimsoll.model.memory import MemoryBreakdown, ProcessMemory
from plimsoll.model.tmp import TmpFile, TmpUsage
from plimsoll.model.verdict import Cause, Evidence, Kind, Limit, Verdict

__all__ = [
    "Cause",
    "Completed",
    "Evidence",
    "Function",
    "Invocation",
    "Kind",
    "Limit",
    "LogEvent",
    "MemoryBreakdown",
    "Network",
    "Outcome",
    "ProcessMemory",
    "Report",
    "Status",
    "TmpBacking",
    "TmpFile",
    "TmpUsage",
    "Verdict",
]
