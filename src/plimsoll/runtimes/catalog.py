"""What could be installed: AWS's runtime identifiers, and which of them Plimsoll can give.

Source of the identifiers: DG/lambda-runtimes as of 2026-09 (facts sheet H4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

NODE_CLIENTS = {"nodejs20.x": "3.3.0", "nodejs22.x": "3.3.0", "nodejs24.x": "4.0.2"}
"""Version of the npm package aws-lambda-ric (docs/decisions/0007): 4 refuses callback handlers, which AWS's own
nodejs22.x still runs."""
PYTHON_CLIENT = "4.2.2"
"""Version of the Python package awslambdaric."""
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
PROVIDED = ("provided.al2023", "provided.al2")
"""The function brings its own runtime: there is nothing to install."""
SUPPORTED = (*NODE_CLIENTS, *PYTHONS, *PROVIDED)
FROM_IMAGE = {
    "java25": "Java",
    "java21": "Java",
    "java17": "Java",
    "java11": "Java",
    "java8.al2": "Java",
    "dotnet10": ".NET",
    "dotnet8": ".NET",
    "ruby4.0": "Ruby",
    "ruby3.4": "Ruby",
    "ruby3.3": "Ruby",
    "python3.10": "Python before 3.11",
    "nodejs18.x": "Node before 20",
}
"""What AWS's own base image alone has, and the language's name."""

Language = Literal["nodejs", "python", "provided", "java", "dotnet", "ruby"]

State = Literal["installed", "available", "missing"]


@dataclass(frozen=True, slots=True)
class Offer:
    """One line of `plimsoll runtimes list`."""

    name: str
    state: State
    version: str = ""
    size_bytes: int = 0
    """Of what was installed, without its image."""
    source: str = ""
    """What it was installed from, where the user named that."""
    reason: str = ""
    """Why it is missing."""
    mend: str = ""
    """The command that gets it."""


def language_of(name: str) -> Language:
    """By the identifier's first letters.

    >>> language_of("java8.al2"), language_of("nodejs20.x")
    ('java', 'nodejs')
    """
    letters = re.match("[a-z]+", name)
    return cast("Language", letters[0] if letters else "")
