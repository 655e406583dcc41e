"""One at a time, across processes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from plimsoll.errors import HostCannot
from plimsoll.file_lock import locked

if TYPE_CHECKING:
    from pathlib import Path


def test_the_second_waits_for_the_first(tmp_path: Path) -> None:
    """Each opens the file anew, as another process would."""
    said: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with locked(tmp_path / "new"):
            inside.set()
            go_on.wait(10)
            said.append("first")

    def second() -> None:
        with locked(tmp_path / "new"):
            said.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert said == ["first", "second"]


def test_other_names_are_other_locks(tmp_path: Path) -> None:
    """One of a runtime keeps nobody from another."""
    with locked(tmp_path, ".a.lock"), locked(tmp_path, ".b.lock"):
        assert {path.name for path in tmp_path.iterdir()} == {".a.lock", ".b.lock"}


def test_it_is_let_go_of_after_an_error(tmp_path: Path) -> None:
    """Whatever happened inside."""
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """With what to set instead."""
    (tmp_path / "file").touch()
    with pytest.raises(HostCannot) as caught, locked(tmp_path / "file/images"):
        pass
    expected = (f"{tmp_path}/file/images cannot be written: Not a directory", "set PLIMSOLL_HOME")
    assert (caught.value.message, caught.value.mend) == expected
