"""The grammar of Lambda's log records: writes them, and reads them back."""

from plimsoll.records import text
from plimsoll.records.parse import Record, RecordKind, parse
from plimsoll.records.platform import platform_report
from plimsoll.records.text import billed_ms, log_stream_name

__all__ = [
    "Record",
    "RecordKind",
    "billed_ms",
    "log_stream_name",
    "parse",
    "platform_report",
    "text",
]
