"""Renders what was measured: tables, words, JSON lines, pictures. A renderer never measures."""

from plimsoll.report.chart import check_report_path, write_report
from plimsoll.report.json_lines import invocation_object, verdict_object
from plimsoll.report.table import LiveTable
from plimsoll.report.words import printable, verdict_words

__all__ = [
    "LiveTable",
    "check_report_path",
    "invocation_object",
    "printable",
    "verdict_object",
    "verdict_words",
    "write_report",
]
