"""The ranges of a function's numbers, both ends included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plimsoll.deployment import check_interval, check_memory, check_timeout, check_tmp
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (check_memory, 128),
        (check_memory, 10240),
        (check_tmp, 512),
        (check_tmp, 10240),
        (check_timeout, 0.01),
        (check_timeout, 900),
        (check_interval, 0),
        (check_interval, 86400),
    ],
)
def test_in_range(check: Callable[[float], float], value: float) -> None:
    """What Lambda takes is given back as it is."""
    assert value == check(value)


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (check_memory, 127, "--memory 127: it is between 128 and 10240 MB"),
        (check_memory, 10241, "--memory 10241: it is between 128 and 10240 MB"),
        (check_tmp, 511, "--tmp-size 511: it is between 512 and 10240 MB"),
        (check_tmp, 10241, "--tmp-size 10241: it is between 512 and 10240 MB"),
        (check_timeout, 0.0, "--timeout 0: it is between 0.01 and 900 s"),
        (check_timeout, 0.0099, "--timeout 0.0099: it is between 0.01 and 900 s"),
        (check_timeout, -1.0, "--timeout -1: it is between 0.01 and 900 s"),
        (check_timeout, 900.5, "--timeout 900.5: it is between 0.01 and 900 s"),
        (check_timeout, float("nan"), "--timeout nan: it is between 0.01 and 900 s"),
        (check_interval, -1.0, "--interval -1: it is between 0 and 86400 s"),
        (check_interval, float("nan"), "--interval nan: it is between 0 and 86400 s"),
        (check_interval, float("inf"), "--interval inf: it is between 0 and 86400 s"),
    ],
)
def test_out_of_range(check: Callable[[float], float], value: float, message: str) -> None:
    """What Lambda refuses is refused by the option's name, with its range."""
    with pytest.raises(CallerError) as caught:
        check(value)
    assert message == caught.value.message
