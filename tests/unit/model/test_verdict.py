"""The judgement on a run, as a value: equal when it says the same."""

from __future__ import annotations

from plimsoll.model import Cause, Evidence, Verdict


def test_evidence_knows_only_what_it_was_told() -> None:
    """What is not known of a place is None and so can be left out of the JSON."""
    item = Evidence(1.0, path="/tmp/a")
    assert (item.file, item.line, item.function, item.pid, item.command) == (None,) * 5


def test_verdicts_compare_by_value() -> None:
    """Two judgements that say the same are equal and hash alike, down to their evidence."""
    first, second = (
        Verdict("tmp", 2.0, (Cause("tmp", 2.0, (Evidence(2.0, "/tmp/a"),)),), 9, "memory", 0.9, "a")
        for _ in range(2)
    )
    assert (first, hash(first)) == (second, hash(second))
