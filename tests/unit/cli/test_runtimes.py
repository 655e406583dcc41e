"""`plimsoll runtimes`: what is asked before anything is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from plimsoll.cli.runtimes import runtimes
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("arguments", [["nodejs99.x"], ["nodejs20.x", "nodejs99.x"]])
def test_unknown_names_are_told_before_a_yes_is_asked_for(
    tmp_path: Path, arguments: list[str]
) -> None:
    """Nobody agrees to a fetch that cannot be made, and nothing is installed of a list with such a name."""
    variables = {"PLIMSOLL_HOME": str(tmp_path / "data")}
    result = CliRunner().invoke(runtimes, ["add", *arguments], env=variables)
    assert isinstance(result.exception, CallerError)
    assert result.exception.message.startswith(
        "nodejs99.x is not a runtime of AWS Lambda that Plimsoll knows; supported: nodejs20.x, "
    )
    assert not (tmp_path / "data").exists()


def test_without_a_terminal_it_wants_the_yes_in_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody can be asked the option says so."""
    monkeypatch.setattr("os.isatty", lambda fd: False)
    variables = {"PLIMSOLL_HOME": str(tmp_path / "data")}
    result = CliRunner().invoke(runtimes, ["add", "nodejs20.x"], env=variables)
    assert isinstance(result.exception, CallerError)
    assert (result.exception.message, result.exception.mend) == (
        "fetching runtimes needs a yes, and standard input is no terminal that could be asked",
        "plimsoll runtimes add --yes nodejs20.x",
    )
