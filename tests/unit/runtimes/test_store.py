"""The data folder's runtimes; nothing here fetches."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from plimsoll.errors import CallerError, HostCannot
from plimsoll.runtimes import Offer, RuntimeStore, given, nodejs, python
from plimsoll.runtimes.catalog import FROM_IMAGE, language_of
from plimsoll.runtimes.recipe import recipe
from plimsoll.runtimes.runtime import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Install = Callable[..., Path]

NOBODY = 65534
SUPPORTED = (
    "nodejs20.x, nodejs22.x, nodejs24.x, python3.11, python3.12, python3.13, python3.14, "
    "provided.al2023, provided.al2"
)


@pytest.fixture
def store(tmp_path: Path) -> RuntimeStore:
    """The store of the data folder `tmp_path`."""
    return RuntimeStore(tmp_path)


def fetch_nothing(
    name: str, making: Path, tools: Path, on_progress: Callable[[str], None]
) -> Manifest:
    """In the place of the install that fetches: one file, and a word of progress."""
    on_progress("making")
    (making / "made").write_text(name)
    return Manifest(name, "nodejs", "20.0.0", "c", recipe(name))


def test_installed(store: RuntimeStore, install: Install) -> None:
    """All that are there, the newest first within a language."""
    for name in ("python3.11", "nodejs20.x", "python3.13", "nodejs24.x"):
        install(name)
    expected = ["python3.13", "python3.11", "nodejs24.x", "nodejs20.x"]
    assert expected == [runtime.name for runtime in store.installed()]


def test_nothing_is_installed(store: RuntimeStore) -> None:
    """A data folder that was never made holds none."""
    assert store.installed() == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become nobody")
def test_a_data_folder_where_one_may_not_look(tmp_path: Path, install: Install) -> None:
    """As good as empty: a user with root's HOME gets a list, not an error."""
    install("nodejs20.x")
    tmp_path.chmod(0o700)
    os.seteuid(NOBODY)
    try:
        assert RuntimeStore(tmp_path).installed() == ()
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("manifest", [None, "", "[1]", "{}", '{"name": 1}'])
def test_unfinished_installs_do_not_count(
    store: RuntimeStore, install: Install, manifest: str | None
) -> None:
    """A folder without a whole manifest is no runtime."""
    file = install("nodejs20.x") / "manifest.json"
    file.unlink()
    if manifest is not None:
        file.write_text(manifest)
    assert store.installed() == ()


def test_another_recipe_does_not_count(store: RuntimeStore, install: Install) -> None:
    """What another version of Plimsoll installed is as good as not there."""
    install("nodejs20.x", made_by="0" * 16)
    assert store.installed() == ()


def test_get(store: RuntimeStore, install: Install) -> None:
    """An installed one is given with its folder and what its manifest says."""
    folder = install("python3.12")
    runtime = store.get("python3.12")
    actual = (runtime.folder, runtime.language, runtime.manifest.version)
    assert actual == (folder, "python", "1.2.3")


@pytest.mark.parametrize(("there", "have"), [([], "none"), (["python3.12"], "python3.12")])
def test_get_what_is_not_installed(
    store: RuntimeStore, install: Install, there: list[str], have: str
) -> None:
    """The refusal says what there is, and the command that adds it."""
    for name in there:
        install(name)
    with pytest.raises(CallerError) as caught:
        store.get("nodejs20.x")
    expected = (
        f"the runtime nodejs20.x is not installed; this host has: {have}",
        "plimsoll runtimes add nodejs20.x",
    )
    assert expected == (caught.value.message, caught.value.mend)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("java21", "java21: Plimsoll cannot fetch Java; "),
        ("python3.10", "python3.10: Plimsoll cannot fetch Python before 3.11; "),
        ("node20", "node20 is not a runtime of AWS Lambda that Plimsoll knows; "),
        ("../x", "../x is not a runtime of AWS Lambda that Plimsoll knows; "),
    ],
)
@pytest.mark.parametrize("ask", ["check", "add", "get", "remove"])
def test_unknown_names(
    store: RuntimeStore, install: Install, name: str, message: str, ask: str
) -> None:
    """A name that is not run is refused with those that are; where one must be there, with what there is."""
    for there in ("nodejs20.x", "python3.12"):
        install(there)
    asked: dict[str, Callable[[], object]] = {
        "check": lambda: store.check(name),
        "add": lambda: store.add(name, print),
        "get": lambda: store.get(name),
        "remove": lambda: store.remove(name),
    }
    with pytest.raises(CallerError) as caught:
        asked[ask]()
    said = f"{message}supported: {SUPPORTED}"
    mend = None
    if "fetch" in message:
        mend = f"plimsoll runtimes add {name} --from IMAGE (AWS's own base image, as a tar or a folder)"
    if ask in {"get", "remove"}:
        said += "; this host has: python3.12, nodejs20.x"
        mend = mend or "plimsoll runtimes add NAME installs a supported one"
    assert (said, mend) == (caught.value.message, caught.value.mend)


@pytest.mark.parametrize("name", ["provided.al2023", "provided.al2"])
def test_custom_runtimes_are_built_in(store: RuntimeStore, tmp_path: Path, name: str) -> None:
    """They are always there without an installation; adding one does nothing, and there is nothing to remove."""
    runtime = store.get(name)
    assert (runtime.is_built_in, runtime.shown, runtime.mapped_files()) == (True, (), ())
    assert store.add(name, print) == runtime
    assert (store.installed(), list(tmp_path.iterdir())) == ((), [])
    with pytest.raises(CallerError) as caught:
        store.remove(name)
    assert caught.value.message == f"{name} is built in: there is nothing to remove"


def given_nothing(
    name: str, source: Path, making: Path, tools: Path, on_progress: Callable[[str], None]
) -> Manifest:
    """In the place of the install from a source: a root with a bootstrap of its own."""
    (making / "root").mkdir()
    origin: Literal["root"] = "root"
    return Manifest(name, language_of(name), "1", "", "", origin, str(source))


def test_add_from(
    store: RuntimeStore, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the user names takes the place of what is there; it may be for a name for which nothing can be fetched."""
    monkeypatch.setattr(given, "install", given_nothing)
    (install("nodejs20.x") / "old").touch()
    for name in ("nodejs20.x", "java21"):
        runtime = store.add_from(name, tmp_path / "image.tar", print)
        assert (runtime.manifest.source, runtime.has_root) == (f"{tmp_path}/image.tar", True)
        assert runtime == store.get(name)
        assert sorted(path.name for path in runtime.folder.iterdir()) == ["manifest.json", "root"]
    with pytest.raises(CallerError, match=r"^node20 is not a runtime of AWS Lambda"):
        store.add_from("node20", tmp_path, print)


def test_a_root_with_its_own_bootstrap_is_nobodys_to_make_anew(
    store: RuntimeStore, install: Install
) -> None:
    """It stays valid whatever becomes of our clients; one that has our client does not."""
    folder = install("python3.12")
    own = Manifest("python3.12", "python", "3.12.1", "", "", "root", "/image.tar")
    (folder / "manifest.json").write_text(own.to_json())
    assert store.get("python3.12").manifest == own
    old = replace(own, client="awslambdaric 1", recipe="0" * 16)
    (folder / "manifest.json").write_text(old.to_json())
    assert store.installed() == ()
    with pytest.raises(CallerError) as caught:
        store.get("python3.12")
    assert (caught.value.message, caught.value.mend) == (
        "the runtime python3.12 was made from /image.tar with another version of AWS's client; this host has: none",
        "plimsoll runtimes add python3.12 --from /image.tar",
    )
    offers = {offer.name: offer for offer in store.catalog()}
    assert offers["python3.12"].mend == caught.value.mend
    store.remove("python3.12")
    assert not folder.exists()


def test_add(store: RuntimeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An install appears whole under its name, and its steps are told."""
    monkeypatch.setattr(nodejs, "install", fetch_nothing)
    steps: list[str] = []
    runtime = store.add("nodejs20.x", steps.append)
    assert (runtime, steps) == (store.get("nodejs20.x"), ["making"])
    assert (runtime.folder / "made").read_text() == "nodejs20.x"
    assert runtime.folder.stat().st_mode & 0o777 == 0o755
    left = {path.name for path in (tmp_path / "runtimes").iterdir()}
    assert left == {"nodejs20.x", ".nodejs20.x.lock"}


def test_add_what_is_there(store: RuntimeStore, install: Install) -> None:
    """An installed one is given and not made again: nothing is told."""
    install("nodejs20.x")
    steps: list[str] = []
    assert (store.add("nodejs20.x", steps.append).name, steps) == ("nodejs20.x", [])


def test_add_makes_anew(
    store: RuntimeStore, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An install of another recipe is replaced, and nothing of it stays."""
    (install("nodejs20.x", made_by="0" * 16) / "old").touch()
    monkeypatch.setattr(nodejs, "install", fetch_nothing)
    folder = store.add("nodejs20.x", lambda step: None).folder
    assert {path.name for path in folder.iterdir()} == {"made", "manifest.json", "system"}


@pytest.mark.parametrize("error", [HostCannot("no network"), KeyboardInterrupt()])
def test_interrupted_install(
    store: RuntimeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """An install that breaks off leaves nothing but its lock, and its error is passed on."""

    def broken(name: str, making: Path, *_: object) -> Manifest:
        (making / "half").touch()
        raise error

    monkeypatch.setattr(nodejs, "install", broken)
    with pytest.raises(type(error)) as caught:
        store.add("nodejs20.x", lambda step: None)
    assert caught.value is error
    assert [path.name for path in (tmp_path / "runtimes").iterdir()] == [".nodejs20.x.lock"]


def test_full_disk(store: RuntimeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full is told with where and what to do."""

    def broken(*_: object) -> Manifest:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nodejs, "install", broken)
    with pytest.raises(HostCannot) as caught:
        store.add("nodejs20.x", lambda step: None)
    expected = (
        f"nodejs20.x could not be installed under {tmp_path}/runtimes: [Errno 28] No space left on device",
        "free some space there, or set PLIMSOLL_HOME",
    )
    assert expected == (caught.value.message, caught.value.mend)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A data folder that cannot be written is told before anything is fetched."""
    (tmp_path / "file").touch()
    with pytest.raises(HostCannot) as caught:
        RuntimeStore(tmp_path / "file").add("nodejs20.x", lambda step: None)
    expected = (f"{tmp_path}/file/runtimes cannot be written: Not a directory", "set PLIMSOLL_HOME")
    assert expected == (caught.value.message, caught.value.mend)


def test_remove(store: RuntimeStore, install: Install) -> None:
    """A removed one is gone from the disk, and removing it again is refused."""
    folder = install("nodejs20.x")
    store.remove("nodejs20.x")
    assert not folder.exists()
    with pytest.raises(CallerError, match=r"^the runtime nodejs20\.x is not installed"):
        store.remove("nodejs20.x")


def test_catalog(
    store: RuntimeStore, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every supported one: installed with its size, to be had, or missing with what to do first."""
    (install("nodejs20.x") / "file").write_bytes(b"x" * 100_000)
    monkeypatch.setattr(
        python, "find_python", lambda series: tmp_path if series == "3.12" else None
    )
    offers = {offer.name: offer for offer in store.catalog()}
    assert ", ".join(offers) == f"{SUPPORTED}, {', '.join(FROM_IMAGE)}"
    assert (offers["nodejs20.x"].state, offers["nodejs20.x"].version) == ("installed", "1.2.3")
    assert offers["nodejs20.x"].size_bytes >= 100_000
    expected = Offer("nodejs22.x", "available", mend="plimsoll runtimes add nodejs22.x")
    assert expected == offers["nodejs22.x"]
    assert offers["python3.12"].state == "available"
    assert offers["provided.al2023"] == Offer("provided.al2023", "installed")
    reason, mend = "AWS's own base image has Java", "plimsoll runtimes add java21 --from IMAGE"
    assert offers["java21"] == Offer("java21", "missing", reason=reason, mend=mend)
    expected = Offer(
        *("python3.11", "missing"),
        reason="no Python 3.11 on this host",
        mend="install it, then plimsoll runtimes add python3.11",
    )
    assert expected == offers["python3.11"]
