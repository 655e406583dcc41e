"""One installed runtime: its folders, its command, its variables."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from plimsoll.runtimes import Runtime
from plimsoll.runtimes.runtime import Manifest

NODE = Runtime(Manifest("nodejs20.x", "nodejs", "20.20.2", "aws-lambda-ric 3.3.0", "0"), Path("/r"))
PYTHON = Runtime(Manifest("python3.12", "python", "3.12.9", "awslambdaric 4.2.2", "0"), Path("/r"))


def test_manifest_reads_back() -> None:
    """What is stored is one JSON object that makes the same manifest again."""
    assert Manifest(**json.loads(NODE.manifest.to_json())) == NODE.manifest


def test_folders() -> None:
    """Two folders become the two that the function sees."""
    assert (NODE.lang_dir, NODE.runtime_dir) == (Path("/r/lang"), Path("/r/runtime"))


@pytest.mark.parametrize(
    ("memory_mib", "semi", "old"), [(128, 6, 116), (1024, 51, 922), (10_240, 512, 9216)]
)
@pytest.mark.parametrize("start", ["bootstrap.mjs", "index.mjs"])
def test_node_command(tmp_path: Path, memory_mib: int, semi: int, old: int, start: str) -> None:
    """AWS's own flags, 5 and 90 % of the memory in whole MB; version 4 of the client starts itself (facts sheet C7)."""
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / start).touch()
    assert Runtime(NODE.manifest, tmp_path).command(memory_mib, "index.handler") == (
        "/var/lang/bin/node",
        "--expose-gc",
        "--max-http-header-size",
        "81920",
        f"--max-semi-space-size={semi}",
        f"--max-old-space-size={old}",
        f"/var/runtime/{start}",
    )


def test_python_command() -> None:
    """Python has no flag for its memory."""
    expected = ("/var/lang/bin/python3.12", "/var/runtime/bootstrap.py")
    assert expected == PYTHON.command(128, "app.handler")


@pytest.mark.parametrize(
    ("runtime", "variables"),
    [
        (
            NODE,
            {
                "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs20.x",
                "NODE_PATH": "/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:"
                "/var/runtime/node_modules:/var/runtime:/var/task",
            },
        ),
        (
            PYTHON,
            {
                "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
                "PYTHONPATH": "/var/runtime",
                "LC_CTYPE": "C.UTF-8",
            },
        ),
    ],
)
def test_environment(runtime: Runtime, variables: dict[str, str]) -> None:
    """The language's own variables are those of AWS's dumps (facts sheet E1)."""
    assert variables == runtime.environment()


@pytest.mark.parametrize(
    ("runtime", "version"),
    [(NODE, "nodejs:20.plimsoll.v20.20.2"), (PYTHON, "python:3.12.plimsoll.v3.12.9")],
)
def test_runtime_version(runtime: Runtime, version: str) -> None:
    """INIT_START names language and series as AWS does, and us as the maker of the build."""
    assert version == runtime.runtime_version


def test_version_arn() -> None:
    """AWS's form around the digest of what was installed."""
    digest = hashlib.sha256(NODE.manifest.to_json().encode()).hexdigest()
    assert NODE.version_arn("eu-west-1") == f"arn:aws:lambda:eu-west-1::runtime:{digest}"


def test_mapped_files(tmp_path: Path) -> None:
    """Programs and shared libraries, each once, however many names it has."""
    mapped = ["lang/bin/python3.12", "lang/lib/libpython3.12.so.1.0", "runtime/c.so"]
    mapped += ["lang/lib/python3.12/lib-dynload/m.so"]
    for name in [*mapped, "lang/lib/python3.12/os.py", "runtime/bootstrap.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "lang/bin/python3").symlink_to("python3.12")
    (tmp_path / "lang/bin/gone").symlink_to("nowhere")
    expected = sorted(tmp_path / name for name in mapped)
    assert expected == list(Runtime(PYTHON.manifest, tmp_path).mapped_files())


def test_manifest_keeps_to_what_there_is() -> None:
    """What stands for nothing is not stored: an install of an older Plimsoll has the same text, and the same image."""
    assert list(json.loads(NODE.manifest.to_json())) == [
        *("name", "language", "version", "client", "recipe"),
    ]


CUSTOM = Runtime(Manifest("provided.al2023", "provided", "", "", ""), Path("/r"))
IMAGE = Runtime(Manifest("java21", "java", "21", "", "", "root", "/i.tar"), Path("/r"))
ROOT = Runtime(
    Manifest("python3.12", "python", "3.12.9", "c 1", "0", "root", "/i.tar", "/usr/bin/python3.12"),
    Path("/r"),
)


@pytest.mark.parametrize(
    ("runtime", "command", "shown", "version"),
    [
        (CUSTOM, ("/var/task/bootstrap",), (), "provided:al2023.plimsoll"),
        (IMAGE, ("/var/runtime/bootstrap",), (), "java:21.plimsoll.v21"),
        (
            ROOT,
            ("/usr/bin/python3.12", "/var/runtime/bootstrap.py"),
            (("runtime", "/var/runtime"),),
            "python:3.12.plimsoll.v3.12.9",
        ),
    ],
)
def test_other_origins(
    runtime: Runtime, command: tuple[str, ...], shown: tuple[tuple[str, str], ...], version: str
) -> None:
    """The function's bootstrap, the image's own, and our client run by the image's program."""
    found = (runtime.command(128, "h"), runtime.shown, runtime.runtime_version)
    assert (command, shown, version) == found


def test_environment_without_a_language() -> None:
    """No AWS_EXECUTION_ENV and no /var/lang for a custom runtime; an image's own bootstrap sets the rest itself."""
    assert CUSTOM.environment() == {
        "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:"
        "/var/task:/var/task/lib:/opt/lib",
    }
    assert IMAGE.environment() == {"AWS_EXECUTION_ENV": "AWS_Lambda_java21"}


def test_mapped_files_of_a_root(tmp_path: Path) -> None:
    """Program and the C library's own, each once; a link is followed inside of the root."""
    inside = ["usr/bin/python3.12", "usr/lib/x86_64-linux-gnu/libc.so.6", "var/lang/lib/liba.so"]
    for name in [*inside, "usr/lib/x86_64-linux-gnu/libother.so.1"]:
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).touch()
    (tmp_path / "root/lib").symlink_to("/usr/lib")
    expected = sorted(tmp_path / "root" / name for name in inside)
    assert expected == list(Runtime(ROOT.manifest, tmp_path).mapped_files())
