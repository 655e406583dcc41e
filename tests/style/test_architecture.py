"""ARCHITECTURE.md says what the code says: the diagram is the table of states, the ranks are the tested ones."""

from __future__ import annotations

import re

from plimsoll.lifecycle import ENVIRONMENT, EnvironmentEvent
from tests.style.test_ranks import RANKS
from tests.style.tree import ROOT, source_modules

PAGE = (ROOT / "ARCHITECTURE.md").read_text()


def test_the_diagram_is_the_table_of_states() -> None:
    """Each arrow is a row and each row an arrow; the two events of an end are told in words."""
    ending = {EnvironmentEvent.STOP, EnvironmentEvent.STOPPED}
    rows = {
        (state.value, following.value, event.value)
        for (state, event), following in ENVIRONMENT.items()
        if event not in ending
    }
    arrows = set(re.findall(r"^    (\w+) --> (\w+): ([\w ]+)$", PAGE, re.MULTILINE))
    assert arrows == rows


def test_the_ranks_are_the_tested_ones() -> None:
    """Every package stands in the page's table with the rank that `test_ranks` holds."""
    written = {
        (int(rank), name)
        for rank, names in re.findall(r"^\| (\d) \| ([^|]+) \|", PAGE, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    here = {module.package for module in source_modules()} - {"__init__"}
    tested = {(rank, name) for rank, names in enumerate(RANKS) for name in names if name in here}
    assert written == tested
