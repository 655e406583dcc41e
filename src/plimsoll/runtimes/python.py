"""Installs a Python runtime: a copy of an interpreter that the host has, and AWS's client with boto3 by wheels.

Rule: the copy is whole. Binary, shared library and standard library all lie under `lang/`, so that inside the box
nothing of it is read from anywhere else.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll.errors import HostCannot
from plimsoll.runtimes.catalog import PYTHON_CLIENT
from plimsoll.runtimes.recipe import inside_files, recipe
from plimsoll.runtimes.runtime import Manifest
from plimsoll.runtimes.tools import pip_install

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "site-packages",
    "dist-packages", "lib2to3", "config-*", "*.a", "_tkinter*",
)  # fmt: skip
_ASK = (
    "import json,sys,sysconfig,platform as p;print(json.dumps(dict(version=p.python_version(),"
    "binary=sys.executable,base=sys.base_prefix,stdlib=sysconfig.get_path('stdlib'),"
    "dynload=sysconfig.get_config_var('DESTSHARED'),library=sysconfig.get_config_var('INSTSONAME'),"
    "libdir=sysconfig.get_config_var('LIBDIR'))))"
)


def find_python(series: str) -> Path | None:
    """An interpreter of this series (`3.12`) on the host: PATH, the usual folders, pyenv, uv."""
    home = glob.escape(str(Path.home()))  # not Path.glob: it raises where one may not look
    pyenv = f"{home}/.pyenv/versions/{series}.*/bin/python{series}"
    uv = f"{home}/.local/share/uv/python/cpython-{series}.*/bin/python{series}"
    places = [
        *(Path(folder) / f"python{series}" for folder in os.get_exec_path()),
        Path(f"/usr/bin/python{series}"),
        Path(f"/usr/local/bin/python{series}"),
        *(Path(found) for found in sorted(glob.glob(pyenv), reverse=True)),
        *(Path(found) for found in sorted(glob.glob(uv), reverse=True)),
    ]
    return next((place for place in places if _works(place, series)), None)


def _works(binary: Path, series: str) -> bool:
    """A pyenv shim answers to every name and then fails: the interpreter itself is asked."""
    if not os.access(binary, os.X_OK):
        return False
    ask = "import sys;print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [binary, "-I", "-c", ask], capture_output=True, text=True, check=False
        )
    except OSError:  # a folder, no program, or where this user may not look
        return False
    return done.stdout.strip() == series


def install(name: str, making: Path, on_progress: Callable[[str], None]) -> Manifest:
    """Fills `making/lang` and `making/runtime`. Raises `HostCannot`."""
    series = name.removeprefix("python")
    binary = find_python(series)
    if binary is None:
        raise HostCannot(
            f"this host has no Python {series} to take for {name}",
            mend=f"apt-get install python{series}, or pyenv install {series}, or uv python install {series}",
        )
    on_progress(f"Python {series} from {binary}")
    version = _copy_interpreter(binary, series, making / "lang")
    client = install_client(name, making, on_progress)
    on_progress("compiling")
    own = making / f"lang/bin/python{series}"
    variables = {"LD_LIBRARY_PATH": str(making / "lang/lib"), "PATH": "/usr/bin:/bin"}
    _compile(own, making / "lang/lib", "/var/lang/lib", variables)
    return Manifest(name, "python", version, client, recipe(name))


def install_client(name: str, making: Path, on_progress: Callable[[str], None]) -> str:
    """Fills `making/runtime`, compiled if this host has such an interpreter; gives package and version.

    Raises `HostCannot`.
    """
    series = name.removeprefix("python")
    on_progress(f"AWS's runtime client (awslambdaric {PYTHON_CLIENT}) and boto3")
    runtime = making / "runtime"
    platforms = [f"--platform=manylinux{tag}_{os.uname().machine}" for tag in ("2014", "_2_28")]
    pip_install(
        runtime,
        f"awslambdaric=={PYTHON_CLIENT}",
        "boto3",
        more=["--python-version", series, "--implementation", "cp", *platforms],
    )
    for file in inside_files("python"):
        (runtime / file.name).write_bytes(file.read_bytes())
    shutil.rmtree(runtime / "bin", ignore_errors=True)
    binary = find_python(series)
    if binary is not None:
        _compile(binary, runtime, "/var/runtime", None)
    return f"awslambdaric {PYTHON_CLIENT}"


def _copy_interpreter(binary: Path, series: str, lang: Path) -> str:
    asked = subprocess.run([binary, "-I", "-c", _ASK], capture_output=True, text=True, check=True)
    found = json.loads(asked.stdout)
    (lang / "bin").mkdir(parents=True)
    (lang / "lib").mkdir()
    shutil.copy(Path(found["binary"]).resolve(), lang / f"bin/python{series}")
    stdlib = lang / f"lib/python{series}"
    shutil.copytree(found["stdlib"], stdlib, ignore=_LEFT_OUT, symlinks=False)
    if not (stdlib / "lib-dynload").exists() and found["dynload"]:
        shutil.copytree(found["dynload"], stdlib / "lib-dynload", symlinks=False)
    library = Path(found["libdir"] or "") / (found["library"] or "")
    if found["library"] and library.suffix != ".a" and library.exists():
        shutil.copy(library, lang / "lib" / found["library"])
    for alias in ("python3", "python"):
        (lang / "bin" / alias).symlink_to(f"python{series}")
    return str(found["version"])


def _compile(binary: Path, folder: Path, seen_as: str, variables: Mapping[str, str] | None) -> None:
    """Both folders are read-only inside: what is not compiled now is compiled anew at each cold start."""
    command: list[str | Path] = [
        *(binary, "-I", "-m", "compileall", "-qq", "-j2"),
        *("--invalidation-mode", "unchecked-hash", "-s", folder, "-p", seen_as, folder),
    ]
    subprocess.run(command, env=variables, check=False, capture_output=True)
