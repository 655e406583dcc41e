"""Which environment an invocation is given, and under which accounting; no box is made."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from plimsoll.errors import HostCannot, PlatformError
from plimsoll.fleet import fleet as module
from plimsoll.fleet.fleet import Fleet
from plimsoll.images import ImageStore
from plimsoll.model import Completed, Function, Invocation
from plimsoll.runtimes import Runtime
from plimsoll.runtimes.runtime import Manifest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plimsoll.environment.housing import Housing
    from plimsoll.model.memory import Accounting, Touched
    from plimsoll.runtimes import RuntimeStore
    from plimsoll.sandbox.box import Spawner
    from plimsoll.sandbox.stock import Stock

REFUSAL = HostCannot("no loop device", mend="modprobe loop")
CAUSE = "this host cannot give an environment a page cache of its own: no loop device"


class FakeEnvironment:
    """See `Environment`: it answers, until the test says that it cannot any more."""

    def __init__(self, function: Function, housing: Housing) -> None:
        self.function = function
        self.housing = housing
        self.can_invoke = True
        self.answer: BaseException | None = None
        self.invoked = 0
        self.is_stopped = False

    async def invoke(self, invocation: Invocation, *, files: bool) -> Completed:
        self.invoked += 1
        if self.answer is not None:
            raise self.answer
        return cast("Completed", self)

    async def stop(self) -> None:
        self.is_stopped = True


class FakeRuntimes:
    """See `RuntimeStore`: built-in runtimes, which need no image of their own and no rehearsal."""

    def get(self, name: str) -> Runtime:
        return Runtime(Manifest(name, "provided", "", "", ""), Path("/nowhere"))


class FakeImages(ImageStore):
    """See `ImageStore`: of each folder an image, if the host can."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.refusal: HostCannot | None = None
        self.asked: list[Path] = []

    def of_code(self, tree: Path) -> Path:
        self.asked.append(tree)
        if self.refusal is not None:
            raise self.refusal
        return self.folder / f"code-{tree.name}.img"


@dataclass
class Bench:
    """A fleet on a host that the test makes."""

    run: Path
    images: FakeImages
    refusal: HostCannot | None = None
    """Why nothing can be mounted, if so."""
    tried: list[Path] = field(default_factory=list)
    built: list[FakeEnvironment] = field(default_factory=list)
    fleets: list[Fleet] = field(default_factory=list)

    async def try_image(self, image: str) -> None:
        """As `Spawner.try_image`."""
        self.tried.append(Path(image))
        if self.refusal is not None:
            raise self.refusal

    def build(self, function: Function, runtime: Runtime, stock: Stock, housing: Housing) -> Any:
        """As `Environment.build`."""
        self.built.append(FakeEnvironment(function, housing))
        return self.built[-1]

    def fleet(self, accounting: Accounting | None) -> Fleet:
        """One with this accounting asked for."""
        fleet = Fleet(
            cast("Spawner", self),
            cast("Stock", None),
            cast("RuntimeStore", FakeRuntimes()),
            self.run,
            self.images,
            accounting,
        )
        self.fleets.append(fleet)
        return fleet

    def accountings(self) -> list[str]:
        """That of each environment which was made."""
        return [environment.housing.accounting for environment in self.built]


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A host that can do everything."""
    bench = Bench(tmp_path, FakeImages(tmp_path / "data"))
    monkeypatch.setattr(module, "Environment", bench)
    yield bench
    for fleet in bench.fleets:
        await fleet.close()


def function(name: str = "f", runtime: str = "provided.al2023") -> Function:
    """One of this name, whose code lies in a folder of that name."""
    return Function(name, runtime, "x", Path("/code") / name)


async def test_exact_where_the_host_can(bench: Bench) -> None:
    """Nobody has to ask: one image is mounted once to see, and nothing more is said."""
    fleet = bench.fleet(None)
    for name in "ffg":
        await fleet.invoke(function(name), Invocation())
    assert (bench.accountings(), fleet.not_exact) == (["exact", "exact"], None)
    assert bench.tried == [bench.images.folder / "code-f.img"]


@pytest.mark.parametrize("where", ["mount", "image"])
async def test_shared_where_it_cannot(bench: Bench, where: str) -> None:
    """For all environments of the run, and why is said; it is tried once."""
    if where == "mount":
        bench.refusal = REFUSAL
    else:
        bench.images.refusal = REFUSAL
    fleet = bench.fleet(None)
    for name, runtime in (("f", "provided.al2023"), ("g", "provided.al2")):
        await fleet.invoke(function(name, runtime), Invocation())
    assert bench.accountings() == ["shared", "shared"]
    assert fleet.not_exact is not None
    assert (fleet.not_exact.message, fleet.not_exact.mend) == (CAUSE, "modprobe loop")
    assert bench.images.asked == [Path("/code/f")]


async def test_exact_that_was_asked_for_is_not_given_up(bench: Bench) -> None:
    """The refusal names the cause and what mends it, each time; nothing is run."""
    bench.refusal = REFUSAL
    fleet = bench.fleet("exact")
    for _ in range(2):
        with pytest.raises(HostCannot) as caught:
            await fleet.invoke(function(), Invocation())
        assert (caught.value.message, caught.value.mend) == (CAUSE, "modprobe loop")
    assert (bench.built, fleet.not_exact) == ([], None)


async def test_shared_that_was_asked_for_tries_nothing(bench: Bench) -> None:
    """No image is made or mounted, and there is nothing to explain."""
    fleet = bench.fleet("shared")
    await fleet.invoke(function(), Invocation())
    assert (bench.accountings(), fleet.not_exact) == (["shared"], None)
    assert (bench.tried, bench.images.asked) == ([], [])


async def test_one_run_has_one_accounting(bench: Bench) -> None:
    """Figures that stand side by side mean the same: once some are exact, a runtime that cannot be so is refused."""
    fleet = bench.fleet(None)
    await fleet.invoke(function("f"), Invocation())
    bench.refusal = REFUSAL
    with pytest.raises(HostCannot, match="a page cache of its own"):
        await fleet.invoke(function("g", "provided.al2"), Invocation())
    await fleet.invoke(function("h"), Invocation())
    assert (bench.accountings(), fleet.not_exact) == (["exact", "exact"], None)


@pytest.mark.parametrize("accounting", ["exact", "shared"])
async def test_a_tmp_on_disk_comes_with_its_folder(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, accounting: Accounting
) -> None:
    """A new blank of the function's size for each environment, under both accountings; none where /tmp is memory."""
    blanks: list[tuple[Path, int]] = []

    def open_blank(folder: Path, size_mib: int) -> int:
        blanks.append((folder, size_mib))
        return 100 + len(blanks)

    monkeypatch.setattr(module, "open_blank", open_blank)
    fleet = bench.fleet(accounting)
    on_disk = replace(function("f"), tmp_backing="disk", tmp_mib=600)
    for one in (on_disk, function("g"), replace(on_disk, name="h")):
        await fleet.invoke(one, Invocation())
    housings = [environment.housing for environment in bench.built]
    folder = bench.images.folder
    assert [(h.tmp_disk, h.tmp_folder) for h in housings] == [
        (101, folder),
        (None, None),
        (102, folder),
    ]
    assert blanks == [(folder, 600), (folder, 600)]


async def test_a_warm_environment_is_used_again(bench: Bench) -> None:
    """By an equal function, whoever describes it; one that was changed gets a new one, and the old one ends."""
    fleet = bench.fleet("shared")
    await fleet.invoke(function(), Invocation())
    await fleet.invoke(function(), Invocation())
    await fleet.invoke(replace(function(), memory_mib=256), Invocation())
    await fleet.recycle(function("other"))
    assert [environment.invoked for environment in bench.built] == [2, 1]
    assert [environment.is_stopped for environment in bench.built] == [True, False]


@pytest.mark.parametrize("raised", [None, PlatformError("the box is lost")])
async def test_an_environment_that_cannot_go_on_is_replaced(
    bench: Bench, raised: PlatformError | None
) -> None:
    """However its last invocation ended; what it raised is passed on."""
    fleet = bench.fleet("shared")
    await fleet.invoke(function(), Invocation())
    bench.built[0].can_invoke, bench.built[0].answer = False, raised
    if raised is None:
        await fleet.invoke(function(), Invocation())
    else:
        with pytest.raises(PlatformError) as caught:
            await fleet.invoke(function(), Invocation())
        assert caught.value is raised
    await fleet.invoke(function(), Invocation())
    await fleet.recycle(function("other"))
    assert [environment.is_stopped for environment in bench.built] == [True, False]


async def test_recycling_ends_the_warm_environment(bench: Bench) -> None:
    """That of the function, gone on return; the next invocation has a new one."""
    fleet = bench.fleet("shared")
    for name in "fg":
        await fleet.invoke(function(name), Invocation())
    await fleet.recycle(function("f"))
    assert [environment.is_stopped for environment in bench.built] == [True, False]
    await fleet.invoke(function("f"), Invocation())
    assert len(bench.built) == 3


async def test_closing_ends_them_all(bench: Bench) -> None:
    """Nothing of a fleet outlives it."""
    fleet = bench.fleet("shared")
    for name in "fgh":
        await fleet.invoke(function(name), Invocation())
    await fleet.close()
    assert [environment.is_stopped for environment in bench.built] == [True] * 3


def test_the_staging_folder_is_the_runs(bench: Bench) -> None:
    """Code is unpacked where the function's user may pass through but not look around."""
    fleet = bench.fleet(None)
    assert fleet.staging == bench.run / "staging"
    assert os.stat(fleet.staging).st_mode & 0o066 == 0


async def test_a_rehearsal_is_once_and_what_it_taught_is_for_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept beside the runtime's image: the next run knows it without one; every environment reads it ahead."""
    touched = (("/var/lang/bin/node", ((0, 4096),)),)
    rehearsals: list[str] = []

    async def rehearse(function: Function, *_: object) -> Touched:
        rehearsals.append(function.name)
        return touched

    monkeypatch.setattr(module, "rehearse", rehearse)
    monkeypatch.setattr(module, "rehearsal_function", lambda runtime: function("rehearsal"))
    bench.images.folder.mkdir(parents=True)
    for _ in range(2):
        fleet = bench.fleet(None)
        for name in "fg":
            await fleet.invoke(function(name), Invocation())
    assert [environment.housing.read_ahead for environment in bench.built] == [touched] * 4
    assert rehearsals == ["rehearsal"]
