"""What an environment's file systems are made of, under the two accountings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll.environment.housing import (
    exact_housing,
    runtime_image,
    shared_housing,
)
from plimsoll.errors import HostCannot
from plimsoll.images import ImageStore
from plimsoll.model import Function
from plimsoll.runtimes import Runtime
from plimsoll.runtimes.runtime import Manifest

if TYPE_CHECKING:
    from typing import Literal

FUNCTION = Function("f", "python3.12", "app.handler", Path("/code/f"))
LAYERED = replace(FUNCTION, layers=(Path("/layers/one"), Path("/layers/two")))


class FakeImages(ImageStore):
    """Images by what they are asked for; none is made."""

    def __init__(self) -> None:
        super().__init__(Path("/data"))
        self.asked: list[str] = []

    def of_code(self, tree: Path) -> Path:
        """Named for the folder."""
        self.asked.append(str(tree))
        return self.folder / f"code-{tree.name}.img"

    def of_runtime(self, key: str, folder: Path) -> Path:
        """Named for the key."""
        self.asked.append(str(folder))
        return self.folder / f"runtime-{key}.img"


def runtime(
    folder: Path,
    *,
    origin: Literal["packages", "folder", "root"] = "packages",
    client: str = "awslambdaric 4.2.2",
) -> Runtime:
    """A Python with two libraries of the host's beside it."""
    for path in ("system/usr/lib/libc.so.6", "system/usr/lib/libm.so.6"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return Runtime(Manifest("python3.12", "python", "3.12.9", client, "0", origin), folder)


BUILT_IN = Runtime(Manifest("provided.al2023", "provided", "", "", ""), Path("/nowhere"))


def test_shared_shows_the_folders_themselves(tmp_path: Path) -> None:
    """Runtime, client, code and each layer at their places; no image, and no root of its own."""
    housing = shared_housing(LAYERED, runtime(tmp_path))
    assert housing.binds == (
        (f"{tmp_path}/lang", "/var/lang"),
        (f"{tmp_path}/runtime", "/var/runtime"),
        ("/code/f", "/var/task"),
        ("/layers/one", "/opt"),
        ("/layers/two", "/opt"),
    )
    assert (housing.accounting, housing.images, housing.root) == ("shared", (), None)


def test_exact_shows_an_image_of_each(tmp_path: Path) -> None:
    """One for all of the runtime, with the host's libraries at their places, and one each for code and layers."""
    python, images = runtime(tmp_path), FakeImages()
    housing = exact_housing(LAYERED, python, images)
    assert housing.images == (
        (
            f"/data/images/runtime-{python.image_key}.img",
            (
                ("lang", "/var/lang"),
                ("runtime", "/var/runtime"),
                ("system/usr/lib/libc.so.6", "/usr/lib/libc.so.6"),
                ("system/usr/lib/libm.so.6", "/usr/lib/libm.so.6"),
            ),
        ),
        ("/data/images/code-f.img", ((".", "/var/task"),)),
        ("/data/images/code-one.img", ((".", "/opt"),)),
        ("/data/images/code-two.img", ((".", "/opt"),)),
    )
    assert (housing.accounting, housing.binds, housing.root) == ("exact", (), None)


def test_both_show_the_same_places(tmp_path: Path) -> None:
    """What a function finds does not depend on how its memory is counted; the libraries are there either way."""
    python = runtime(tmp_path)
    shared = [place for _, place in shared_housing(LAYERED, python).binds]
    exact = exact_housing(LAYERED, python, FakeImages())
    places = [place for _, shown in exact.images for _, place in shown]
    assert shared == [place for place in places if not place.startswith("/usr/lib/")]


def test_a_function_without_layers(tmp_path: Path) -> None:
    """Nothing is shown at /opt."""
    assert [place for _, place in shared_housing(FUNCTION, runtime(tmp_path)).binds] == [
        "/var/lang",
        "/var/runtime",
        "/var/task",
    ]


@pytest.mark.parametrize(
    ("client", "shown"), [("", ()), ("awslambdaric 4.2.2", (("runtime", "/var/runtime"),))]
)
def test_a_root_of_its_own(tmp_path: Path, client: str, shown: tuple[tuple[str, str], ...]) -> None:
    """A whole file system is the box's root; beside it only the client that was put in is shown."""
    python = runtime(tmp_path, origin="root", client=client)
    shared = shared_housing(FUNCTION, python)
    assert shared.root == (None, f"{tmp_path}/root")
    assert shared.binds == (
        *((f"{tmp_path}/{inner}", place) for inner, place in shown),
        ("/code/f", "/var/task"),
    )
    exact = exact_housing(FUNCTION, python, FakeImages())
    image = f"/data/images/runtime-{python.image_key}.img"
    assert exact.root == (image, "root")
    assert exact.images == (
        *(((image, shown),) if shown else ()),
        ("/data/images/code-f.img", ((".", "/var/task"),)),
    )


def test_a_bootstrap_of_the_functions_own() -> None:
    """A built-in runtime has no folder and no image: the code is all there is."""
    images = FakeImages()
    assert shared_housing(FUNCTION, BUILT_IN).binds == (("/code/f", "/var/task"),)
    housing = exact_housing(FUNCTION, BUILT_IN, images)
    assert housing.images == (("/data/images/code-f.img", ((".", "/var/task"),)),)
    assert images.asked == ["/code/f"]


def test_no_housing_has_a_disk_by_itself(tmp_path: Path) -> None:
    """A descriptor is put in by whoever opens it, and sees to it that it is closed."""
    housings = [
        shared_housing(replace(FUNCTION, tmp_backing="disk"), runtime(tmp_path)),
        exact_housing(replace(FUNCTION, tmp_backing="disk"), runtime(tmp_path), FakeImages()),
    ]
    assert [(housing.tmp_disk, housing.tmp_folder) for housing in housings] == [(None, None)] * 2


def test_what_cannot_be_made_is_the_stores_refusal(tmp_path: Path) -> None:
    """It is passed on as it is: the fleet decides what becomes of it."""
    (tmp_path / "file").touch()
    with pytest.raises(HostCannot, match="file/images cannot be written"):
        runtime_image(runtime(tmp_path / "python"), ImageStore(tmp_path / "file"))
