"""Settings of the command itself: read once, unknown ones refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from platformdirs import user_data_path

from plimsoll.errors import CallerError
from plimsoll.settings import Settings, read_settings


@pytest.mark.parametrize(
    ("variables", "data_folder"),
    [
        ({"PLIMSOLL_HOME": "/srv/plimsoll"}, Path("/srv/plimsoll")),
        ({"PLIMSOLL_HOME": ""}, user_data_path("plimsoll")),
        ({"HOME": "/root", "AWS_PLIMSOLL_X": "1"}, user_data_path("plimsoll")),
    ],
)
def test_data_folder(variables: dict[str, str], data_folder: Path) -> None:
    """PLIMSOLL_HOME says where runtimes live; unset or empty, it is the user's data folder."""
    assert Settings(data_folder) == read_settings(variables)


def test_unknown_setting_is_refused() -> None:
    """A misspelt setting is named, the first in the alphabet, with how to get rid of it."""
    with pytest.raises(CallerError) as caught:
        read_settings({"PLIMSOLL_ZOO": "1", "PLIMSOLL_HOEM": "/srv", "PLIMSOLL_HOME": "/srv"})
    expected = (
        "PLIMSOLL_HOEM is not a setting of Plimsoll; known: PLIMSOLL_HOME",
        "unset PLIMSOLL_HOEM",
    )
    assert expected == (caught.value.message, caught.value.mend)
