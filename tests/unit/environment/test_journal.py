"""The log events of an invocation: bounded, and what was dropped is said."""

from __future__ import annotations

from plimsoll.environment.journal import Journal
from plimsoll.model import LogEvent


def event(message: str) -> LogEvent:
    """At a moment that does not matter."""
    return LogEvent(1, message)


def test_all_in_their_order() -> None:
    """The function's events and ours come out as they came in, and once."""
    journal = Journal()
    journal.append_ours(event("START\n"))
    journal.append(event("line\n"))
    journal.append_ours(event("END\n"))
    assert [e.message for e in journal.take()] == ["START\n", "line\n", "END\n"]
    assert journal.take() == ()


def test_what_goes_over_the_bound_is_counted() -> None:
    """The function's events over the bound are dropped, ours are not, and one line says how many there were."""
    journal = Journal(bound_bytes=1 << 20)
    for _ in range(3):
        journal.append(event("x" * 600_000))
    journal.append_ours(event("END\n"))
    journal.append_ours(event("REPORT\n"))
    kept, said, end, report = journal.take()
    assert (len(kept.message), end.message, report.message) == (600_000, "END\n", "REPORT\n")
    assert said.message == (
        "[PLIMSOLL] 2 log events with 1200000 characters were dropped: at most 1 MiB are kept of an invocation\n"
    )


def test_each_taking_starts_anew() -> None:
    """What one invocation logged leaves the next one its whole room."""
    journal = Journal(bound_bytes=1000)
    journal.append(event("x" * 800))
    journal.take()
    journal.append(event("y" * 800))
    assert [e.message for e in journal.take()] == ["y" * 800]


def test_many_empty_events_are_bounded_too() -> None:
    """An event costs something even if it says nothing."""
    journal = Journal(bound_bytes=1 << 10)
    for _ in range(100):
        journal.append(event(""))
    assert len(journal.take()) == 8
