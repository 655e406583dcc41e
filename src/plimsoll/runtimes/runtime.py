"""One runtime: its folders, its manifest, and how a process of it is started.

Rule: everything here is what the function would see; host paths end at `folder` and what is directly in it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from plimsoll.runtimes.rooted import resolve_in
from plimsoll.runtimes.system_files import system_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plimsoll.runtimes.catalog import Language

BOOTSTRAP = "/var/runtime/bootstrap"
"""What starts the runtime in AWS's own base images (facts sheet D5)."""
_CUSTOM_BOOTSTRAPS = ("/var/task/bootstrap", "/opt/bootstrap")
_MAPPED = ("lang/bin/*", "lang/lib/*.so*", "lang/lib/*/lib-dynload/*.so", "runtime/*.so")
LIBRARY_FOLDERS = ("lib", "lib64", "usr/lib", "usr/lib64", "lib/*-linux-gnu", "usr/lib/*-linux-gnu")
_LIBRARIES = ("ld-*", "libc.*", "libm.*", "libdl.*", "libpthread.*", "librt.*", "libstdc++.*", "libgcc_s.*",
              "libz.*", "libexpat.*", "libcrypto.*", "libssl.*", "libpython3*", "libnode*")  # fmt: skip
_WITHOUT_LANGUAGE = {
    "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
}
"""Custom runtimes: no /var/lang in either (facts sheet E1)."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was installed: `manifest.json` beside its folders. What stands in it for nothing is left out there."""

    name: str
    """AWS's identifier, such as `nodejs20.x`."""
    language: Language
    version: str
    """Of the language: `20.20.2`."""
    client: str
    """Package and version of AWS's runtime client that was put in; empty where there is another, or none."""
    recipe: str
    """Digest of what Plimsoll itself put in and asked for: another one's install is made anew (see `recipe`)."""
    origin: Literal["packages", "folder", "root"] = "packages"
    """Fetched; or what the user named: a language's folder, a whole root file system."""
    source: str = ""
    """What the user named."""
    program: str = ""
    """Inside the box: the language's program, where it is not in /var/lang."""
    content: str = ""
    """Stands for what the user's source held then: a word of chance."""

    def to_json(self) -> str:
        """As stored."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        told = {f.name: values[f.name] for f in fields(self) if values[f.name] != f.default}
        return json.dumps(told, indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime. Its `folder` holds `lang` (becomes /var/lang) and `runtime` (becomes /var/runtime), or `root`."""

    manifest: Manifest
    folder: Path

    @property
    def name(self) -> str:
        """AWS's identifier."""
        return self.manifest.name

    @property
    def language(self) -> Language:
        """What its handlers are written in; `provided` where only the function knows."""
        return self.manifest.language

    @property
    def is_built_in(self) -> bool:
        """Whether it is nothing but the function's own bootstrap: nothing is installed."""
        return self.language == "provided" and self.manifest.origin == "packages"

    @property
    def has_root(self) -> bool:
        """Whether it is a root file system of its own, in the `root` of its folder."""
        return self.manifest.origin == "root"

    @property
    def has_system_files(self) -> bool:
        """Whether the host's libraries that it maps are copied beside it."""
        return not self.is_built_in and not self.has_root

    @property
    def bootstraps(self) -> tuple[str, ...]:
        """Where the function's own bootstrap is looked for, in this order; empty where the runtime is not its own."""
        return _CUSTOM_BOOTSTRAPS if self.language == "provided" else ()

    @property
    def lang_dir(self) -> Path:
        """Becomes /var/lang."""
        return self.folder / "lang"

    @property
    def runtime_dir(self) -> Path:
        """Becomes /var/runtime."""
        return self.folder / "runtime"

    @property
    def folders(self) -> tuple[tuple[str, str], ...]:
        """What a box shows of the folder beside its `root`: a folder in it, and the place inside."""
        lang = (("lang", "/var/lang"),) if self.manifest.origin != "root" else ()
        client = (("runtime", "/var/runtime"),) if self.manifest.client else ()
        return () if self.is_built_in else (*lang, *client)

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """`folders`, and the copies of the host's libraries at their places."""
        if not self.has_system_files:
            return self.folders
        copies = ((f"system{path}", path) for path in system_files(self.folder))
        return (*self.folders, *copies)

    @property
    def image_key(self) -> str:
        """Stands for the folder's whole content: installs are never changed, only made anew."""
        content = f"{self.manifest.to_json()}{system_files(self.folder)}"
        return hashlib.sha256(content.encode()).hexdigest()

    def mapped_files(self) -> tuple[Path, ...]:
        """What its processes map: program and shared libraries, on the host."""
        if self.is_built_in:
            return ()
        if self.has_root:
            return self._mapped_of_root()
        found = (path for place in _MAPPED for path in self.folder.glob(place))
        return tuple(sorted({path.resolve() for path in found if path.is_file()}))

    def _mapped_of_root(self) -> tuple[Path, ...]:
        """The usual ones: which of a whole system's libraries a program maps is known only when it runs."""
        root = self.folder / "root"
        places = [f"{folder}/{name}" for folder in LIBRARY_FOLDERS for name in _LIBRARIES]
        places += ["var/lang/bin/*", "var/lang/lib/*.so*", "var/runtime/*.so"]
        found = {path for place in places for path in root.glob(place)}
        program = resolve_in(root, self.manifest.program) if self.manifest.program else None
        found |= {program} if program else set()
        inside = (resolve_in(root, str(path.relative_to(root))) for path in found)
        return tuple(sorted({path for path in inside if path is not None and path.is_file()}))

    @property
    def runtime_version(self) -> str:
        """As the INIT_START line names it; `plimsoll` where AWS has its own build's name."""
        series = self.name.removeprefix(self.language).removesuffix(".x").removeprefix(".")
        version = f".v{self.manifest.version}" if self.manifest.version else ""
        return f"{self.language}:{series}.plimsoll{version}"

    def version_arn(self, region: str) -> str:
        """The Runtime Version ARN: AWS's form around the digest of our manifest."""
        digest = hashlib.sha256(self.manifest.to_json().encode()).hexdigest()
        return f"arn:aws:lambda:{region}::runtime:{digest}"

    def command(self, memory_mib: int, handler: str) -> tuple[str, ...]:
        """The command inside the box. Node's flags are AWS's own (facts sheet C7: from its bootstrap script).

        `handler` is not part of it: both clients read `_HANDLER`. A runtime with `bootstraps` has no other command.
        """
        if self.bootstraps:
            return self.bootstraps[:1]
        if not self.manifest.client:
            return (BOOTSTRAP,)
        if self.language == "python":
            series = self.name.removeprefix("python")
            program = self.manifest.program or f"/var/lang/bin/python{series}"
            return (program, "/var/runtime/bootstrap.py")
        tenth = memory_mib // 10
        return (
            self.manifest.program or "/var/lang/bin/node",
            "--expose-gc",
            "--max-http-header-size",
            "81920",
            f"--max-semi-space-size={tenth // 2}",
            f"--max-old-space-size={memory_mib - tenth}",
            "/var/runtime/bootstrap.mjs"
            if (self.runtime_dir / "bootstrap.mjs").exists()
            else "/var/runtime/index.mjs",
        )

    def environment(self) -> Mapping[str, str]:
        """The language's own part of the function's variables (facts sheet E1)."""
        if self.language == "provided":
            return dict(_WITHOUT_LANGUAGE)
        own = {"AWS_EXECUTION_ENV": f"AWS_Lambda_{self.name}"}
        if not self.manifest.client:
            return own  # AWS's bootstrap sets the rest
        if self.language == "python":
            return {**own, "PYTHONPATH": "/var/runtime", "LC_CTYPE": "C.UTF-8"}
        major = self.name.removeprefix("nodejs").removesuffix(".x")
        path = (
            f"/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:"
            "/var/runtime/node_modules:/var/runtime:/var/task"
        )
        return {**own, "NODE_PATH": path}
