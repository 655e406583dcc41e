"""What could be installed, by AWS's identifiers."""

from __future__ import annotations

import re

from plimsoll.runtimes.catalog import FROM_IMAGE, NODE_CLIENTS, SUPPORTED, language_of


def test_identifiers_are_aws() -> None:
    """Every name has the form of AWS's identifiers."""
    form = re.compile(
        r"nodejs\d+\.x|python3\.\d+|java\d+(\.al2)?|dotnet\d+|ruby\d\.\d|provided\.al\w+"
    )
    assert [name for name in (*SUPPORTED, *FROM_IMAGE) if not form.fullmatch(name)] == []


def test_nothing_is_both() -> None:
    """What is supported is not also told to need AWS's own image."""
    assert set(SUPPORTED) & set(FROM_IMAGE) == set()


def test_language() -> None:
    """By the identifier's letters, for every name that there is."""
    found = {language_of(name) for name in (*SUPPORTED, *FROM_IMAGE)}
    assert found == {"nodejs", "python", "provided", "java", "dotnet", "ruby"}


def test_callbacks_end_with_24() -> None:
    """Version 4 of AWS's client refuses callback handlers: it comes with Node 24 and not before (facts sheet H5)."""
    majors = {name: client.split(".")[0] for name, client in NODE_CLIENTS.items()}
    assert majors == {"nodejs20.x": "3", "nodejs22.x": "3", "nodejs24.x": "4"}
