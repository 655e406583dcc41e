"""`runtimes add --from`: root file systems that other tools made are run as they are, and cannot write out of theirs."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plimsoll.errors import CallerError
from plimsoll.fleet import open_fleet
from plimsoll.model import Function
from plimsoll.runtimes import RuntimeStore, python
from tests.archives import (
    members_tar,
    write_docker_save,
    write_oci_layout,
    write_tar,
    zipped,
)
from tests.kernel.conftest import invoke, plimsoll, response
from tests.kernel.debian_root import debian_python_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HELLO = """
import os, sys
def handler(event, context):
    return {
        "event": event,
        "version": "%d.%d" % sys.version_info[:2],
        "system": open("/etc/os-release").read(),
        "user": [os.getuid(), os.getgid(), os.uname().nodename, open("/etc/passwd").read().count(":993:")],
        "left": [name for name in ("usr/lower", "usr/opaque/lower", "usr/opaque/upper") if os.path.exists("/" + name)],
        "writable": [top for top in os.listdir("/") if os.access("/" + top, os.W_OK)],
        "hidden": os.path.exists("/home") or os.path.exists("/proc/1/cmdline"),
        "execution": os.environ["AWS_EXECUTION_ENV"],
        "dev": open("/dev/zero", "rb").read(1).hex(),
    }
"""
BOOTSTRAP = """#!/usr/bin/python{series}
import http.client, json, os
os.write(1, b"the image's own\\n")
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    got = api.getresponse()
    request, event = got.headers["Lambda-Runtime-Aws-Request-Id"], got.read()
    names = "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "_HANDLER", "AWS_EXECUTION_ENV"
    answer = {{"event": json.loads(event), "cwd": os.getcwd(), "code": os.listdir("."), **{{n: os.environ.get(n) for n in names}}}}
    api.request("POST", "/2018-06-01/runtime/invocation/%s/response" % request, json.dumps(answer))
    api.getresponse().read()
"""


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Debian's files, and the series of the Python among them."""
    folder = tmp_path_factory.mktemp("debian")
    folder.chmod(0o755)
    yield debian_python_root(folder)
    shutil.rmtree(folder)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RuntimeStore]:
    """An empty data folder."""
    tmp_path.chmod(0o755)
    yield RuntimeStore(tmp_path / "home")
    shutil.rmtree(tmp_path / "home", ignore_errors=True)


@pytest.fixture
def quick_client(store: RuntimeStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """AWS's client for Python from an install that is there, where one is of the same series: pip takes seconds."""

    def take(name: str) -> None:
        there = [runtime for runtime in store.installed() if runtime.name == name]
        if there:

            def copy(name: str, making: Path, on_progress: object) -> str:
                shutil.copytree(there[0].folder / "runtime", making / "runtime", symlinks=True)
                return there[0].manifest.client

            monkeypatch.setattr(python, "install_client", copy)

    return take


def lower_and_upper(root: Path) -> tuple[bytes, bytes]:
    """The file system as two layers, of which the upper takes away again what the lower has too much."""
    with_more = {"usr__lower": b"x", "usr__opaque__lower": b"x"}
    lower = write_tar(root.parent / "lower.tar", root, **with_more)
    upper = members_tar(
        ("usr/.wh.lower", b""), ("usr/opaque/upper", b"x"), ("usr/opaque/.wh..wh..opq", b"")
    )
    content = lower.read_bytes()
    lower.unlink()
    return content, zipped(upper)


def source_of(form: str, root: Path, into: Path) -> Path:
    """The file system in one of the forms that there are."""
    if form == "folder":
        return root
    if form.startswith("tar"):
        return write_tar(into / f"root.{form}", root)
    if form == "docker save":
        return write_docker_save(into / "image.tar", *lower_and_upper(root))
    layout = write_oci_layout(into / "layout", *lower_and_upper(root))
    return layout if form == "OCI folder" else write_tar(into / "layout.tar", layout)


def with_bootstrap(root: Path, series: str, into: Path) -> Path:
    """The file system with a bootstrap, as AWS's base images have one."""
    image = into / "image"
    shutil.copytree(root, image, symlinks=True)
    bootstrap = image / "var/runtime/bootstrap"
    bootstrap.parent.mkdir()
    bootstrap.write_text(BOOTSTRAP.format(series=series))
    bootstrap.chmod(0o755)
    return image


async def run(store: RuntimeStore, function: Function, accounting: Any) -> tuple[Any, Any]:
    """The response of the second of two invocations, and its report."""
    async with open_fleet(store, accounting) as fleet:
        completed = await invoke(fleet, function, {"x": 7}, times=2)
    return response(completed), completed.report


@pytest.mark.parametrize("form", ["folder", "tar.gz", "OCI folder", "OCI tar", "docker save"])
async def test_a_root_file_system_is_run(
    debian: tuple[Path, str],
    home: RuntimeStore,
    quick_client: Callable[[str], None],
    tmp_path: Path,
    form: str,
) -> None:
    """In each form, with each accounting: its own Python and its own system files, and the box's own user and hosts."""
    root, series = debian
    name = f"python{series}"
    quick_client(name)
    runtime = home.add_from(name, source_of(form, root, tmp_path), lambda step: None)
    assert runtime.manifest.version.startswith(f"{series}.")
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(HELLO)
    function = Function("f", name, "app.handler", code, timeout_s=10)
    for accounting in ("exact", "shared"):
        found, report = await run(home, function, accounting)
        assert found == {
            "event": {"x": 7},
            "version": series,
            "system": "ID=of-the-image\n",
            "user": [993, 990, "sandbox", 1],
            "left": ["usr/opaque/upper"] if form.startswith(("OCI", "docker")) else [],
            "writable": ["tmp"],
            "hidden": False,
            "execution": f"AWS_Lambda_{name}",
            "dev": "00",
        }
        assert (report.accounting, report.status) == (accounting, "success")
        # anonymous memory alone is 9 MB: with the interpreter's own pages it is more, whoever paid for them
        assert 24 <= report.max_memory_used_mib <= 45


@pytest.mark.parametrize(("name", "handler"), [("java21", "app.Hello"), ("python3.14", "app.f")])
async def test_an_image_with_its_own_bootstrap_is_run_by_it(
    debian: tuple[Path, str], home: RuntimeStore, tmp_path: Path, name: str, handler: str
) -> None:
    """As AWS's own base images have it: nothing is fetched for it, and it need not be a language that we know."""
    runtime = home.add_from(name, with_bootstrap(*debian, tmp_path), lambda step: None)
    assert (runtime.manifest.client, runtime.manifest.recipe) == ("", "")
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.jar").touch()
    for accounting in ("exact", "shared"):
        found, report = await run(home, Function("f", name, handler, code), accounting)
        assert (report.accounting, report.invocation) == (accounting, 2)
        assert found == {
            "event": {"x": 7},
            "cwd": "/var/task",
            "code": ["app.jar"],
            "LAMBDA_TASK_ROOT": "/var/task",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "_HANDLER": handler,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{name}",
        }


HOSTILE: dict[str, list[tuple[Any, ...]]] = {
    "a name that leads up": [("../../outside", b"x")],
    "a name that leads up from below": [("usr/../../../outside", b"x")],
    "a link that leads up": [("up", b"", {"type": tarfile.SYMTYPE, "linkname": "../../.."}), ("up/outside", b"x")],
    "an absolute link": [("there", b"", {"type": tarfile.SYMTYPE, "linkname": "{outside}"}), ("there/outside", b"x")],
    "a hard link to a file of the host": [("pw", b"", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})],
    "a hard link through a link": [
        ("etc", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc"}),
        ("pw", b"", {"type": tarfile.LNKTYPE, "linkname": "etc/passwd"}),
    ],
    "a folder under whose name is a link": [
        ("var", b"", {"type": tarfile.SYMTYPE, "linkname": "{outside}"}),
        ("usr/x", b""),
    ],
    "a mount point that is a link": [
        ("var/runtime/x", b""),
        ("var/task", b"", {"type": tarfile.SYMTYPE, "linkname": "{outside}"}),
        ("etc/resolv.conf", b"", {"type": tarfile.SYMTYPE, "linkname": "{outside}/resolv.conf"}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("trick", HOSTILE)
@pytest.mark.parametrize("layered", [False, True])
def test_nothing_is_written_outside(
    home: RuntimeStore, tmp_path: Path, trick: str, layered: bool
) -> None:
    """Whatever names and links of an archive say: not a file beside its target is made, changed or linked."""
    outside = tmp_path / "outside"
    outside.mkdir()
    members: list[Any] = []
    for name, content, *rest in HOSTILE[trick]:
        fields = dict(*rest)
        if "linkname" in fields:
            fields["linkname"] = fields["linkname"].format(outside=outside)
        members.append((name, content, fields))
    packed = members_tar(*members)
    source = tmp_path / "hostile.tar"
    if layered:
        write_oci_layout(tmp_path / "layout", packed)
        source = tmp_path / "layout"
    else:
        source.write_bytes(packed)
    before = sorted(tmp_path.iterdir())
    links_of_passwd = Path("/etc/passwd").stat().st_nlink
    with pytest.raises(CallerError, match=rf"^{source}"):
        home.add_from("python3.12", source, lambda step: None)
    assert list(outside.iterdir()) == []
    assert sorted(tmp_path.iterdir()) == sorted({*before, home.data_folder})
    assert Path("/etc/passwd").stat().st_nlink == links_of_passwd
    left = [path.name for path in (home.data_folder / "runtimes").iterdir()]
    assert left == [".python3.12.lock"]


async def test_the_command(debian: tuple[Path, str], tmp_path: Path) -> None:
    """`add --from` makes the image too; `list` tells its source and sizes, `prune` keeps it, `remove` takes it along."""
    root = with_bootstrap(*debian, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLIMSOLL_HOME", str(tmp_path / "home"))
        code, out, err = await plimsoll("runtimes", "add", "ruby3.4", "--from", str(root), "--yes")
        assert (code, out) == (0, "ruby3.4 3.4 (its own bootstrap)\n"), err
        assert "ruby3.4: making its file-system image" in err
        _, listed, _ = await plimsoll("runtimes", "list")
        assert f"from {root}" in listed
        images = tmp_path / "home/images"
        assert len(list(images.glob("*.img"))) == 1
        _, out, _ = await plimsoll("runtimes", "prune")
        assert out == "0 MB freed\n"
        code, out, _ = await plimsoll("runtimes", "remove", "ruby3.4")
        assert (code, out) == (0, "ruby3.4 removed\n")
        assert list(images.glob("*.img")) == []
    shutil.rmtree(tmp_path / "home")
