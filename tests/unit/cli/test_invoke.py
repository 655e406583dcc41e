"""What `invoke` and `diagnose` say beside their output, which stays as it is for whoever reads it by program."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from plimsoll.cli.invoke import _tell_progress, _told_if_shared
from plimsoll.errors import HostCannot


@pytest.mark.parametrize(
    ("mend", "said"), [(None, ""), ("modprobe loop", "  mend: modprobe loop\n")]
)
def test_another_accounting_is_told(
    capsys: pytest.CaptureFixture[str], mend: str | None, said: str
) -> None:
    """Why the figures are not the usual accounting's, and what mends it where that is known; after Ctrl-C too."""
    fleet: Any = SimpleNamespace(not_exact=HostCannot("this host has no loop devices", mend=mend))
    with suppress(KeyboardInterrupt), _told_if_shared(fleet):
        raise KeyboardInterrupt
    told = capsys.readouterr()
    expected = "plimsoll: the accounting is `shared`, since this host has no loop devices\n"
    assert (told.out, told.err) == ("", expected + said)


def test_what_takes_long_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """While it lasts, on standard error."""
    _tell_progress("making an image of /code")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "plimsoll: making an image of /code …\n")
