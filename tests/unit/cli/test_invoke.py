"""What `invoke` and `diagnose` say beside their output, which stays as it is for whoever reads it by program."""

from __future__ import annotations

import pytest

from plimsoll.cli.invoke import _tell_progress, _tell_shared
from plimsoll.errors import HostCannot


@pytest.mark.parametrize(
    ("mend", "said"), [(None, ""), ("modprobe loop", "  mend: modprobe loop\n")]
)
def test_another_accounting_is_told(
    capsys: pytest.CaptureFixture[str], mend: str | None, said: str
) -> None:
    """Why the figures are not those of the usual accounting, and what mends it where that is known."""
    _tell_shared(HostCannot("this host has no loop devices", mend=mend))
    told = capsys.readouterr()
    expected = "plimsoll: the accounting is `shared`, since this host has no loop devices\n"
    assert (told.out, told.err) == ("", expected + said)


def test_what_takes_long_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """While it lasts, on standard error."""
    _tell_progress("making an image of /code")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "plimsoll: making an image of /code …\n")
