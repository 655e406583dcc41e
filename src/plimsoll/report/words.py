"""The verdict in plain words for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plimsoll.diagnosis.advice import megabytes

if TYPE_CHECKING:
    from plimsoll.model import Cause, Verdict

_HEADLINES = {
    "none": "No growth",
    "plateau": "Grew, then stopped",
    "tmp": "/tmp grows",
    "tmp-deleted-open": "What is deleted from /tmp and still open grows",
    "heap": "The heap grows",
    "shmem": "Shared memory grows",
    "kernel": "Kernel memory grows",
    "cache": "Only page cache grows: harmless",
    "inconclusive": "Inconclusive",
}
_SHORT = {
    "tmp": "/tmp",
    "tmp-deleted-open": "deleted files in /tmp",
    "heap": "the heap",
    "shmem": "shared memory",
    "kernel": "kernel memory",
    "cache": "page cache",
}


def printable(text: str) -> str:
    r"""One line that any terminal and encoding can take: whatever else a name or a message holds is escaped.

    >>> printable("ä \x1b[2J\n")
    'ä \\x1b[2J\\n'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def headline(verdict: Verdict) -> str:
    """One line: what, how fast, how sure."""
    name = _HEADLINES.get(verdict.kind, verdict.kind)
    if verdict.causes:
        main, *others = verdict.causes
        name += f" by {megabytes(main.growth_bytes_per_invocation)}"
        for cause in others:
            name += f", {_SHORT[cause.kind]} by {megabytes(cause.growth_bytes_per_invocation)}"
        name += " per invocation"
    return f"{name} (confidence {verdict.confidence:.0%})" if verdict.confidence else name


def verdict_words(verdict: Verdict) -> str:
    """Headline, causes, advice; one thought a line."""
    lines = [f"Verdict: {headline(verdict)}"]
    lines += [_cause_line(cause) for cause in verdict.causes]
    lines += [f"  · {thought}" for thought in thoughts(verdict)]
    return "\n".join(map(printable, lines))


def thoughts(verdict: Verdict) -> list[str]:
    """The advice, a thought each.

    >>> from plimsoll.model import Verdict
    >>> thoughts(Verdict("tmp", 1.0, (), None, None, 0.9, "not a heap leak; /tmp/test grows."))
    ['Not a heap leak', '/tmp/test grows']
    """
    parts = verdict.advice.removesuffix(".").split("; ")
    return [part[:1].upper() + part[1:] for part in parts]


def _cause_line(cause: Cause) -> str:
    line = f"  {cause.kind:<16} {megabytes(cause.growth_bytes_per_invocation):>9} per invocation"
    if cause.evidence:
        first = cause.evidence[0]
        line += f"   {first.path or first.command or ''}"
    return line
