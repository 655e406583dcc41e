"""One installed runtime: two folders, a manifest, and how a process of it is started.

Rule: everything here is what the function would see; host paths end at `lang_dir` and `runtime_dir`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from plimsoll.runtimes.system_files import system_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Language = Literal["nodejs", "python"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was installed: `manifest.json` beside the two folders."""

    name: str
    """AWS's identifier, such as `nodejs20.x`."""
    language: Language
    version: str
    """Of the language: `20.20.2`."""
    client: str
    """Package and version of AWS's runtime client."""
    recipe: str
    """Digest of what Plimsoll itself put in and asked for: another one's install is made anew (see `recipe`)."""

    def to_json(self) -> str:
        """As stored."""
        return json.dumps(asdict(self), indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class Runtime:
    """An installed runtime. `folder` holds `lang` (becomes /var/lang) and `runtime` (becomes /var/runtime)."""

    manifest: Manifest
    folder: Path

    @property
    def name(self) -> str:
        """AWS's identifier."""
        return self.manifest.name

    @property
    def language(self) -> Language:
        """`nodejs` or `python`."""
        return self.manifest.language

    @property
    def lang_dir(self) -> Path:
        """Becomes /var/lang."""
        return self.folder / "lang"

    @property
    def runtime_dir(self) -> Path:
        """Becomes /var/runtime."""
        return self.folder / "runtime"

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """What a box shows of the folder: a path in it, and the place inside."""
        copies = ((f"system{path}", path) for path in system_files(self.folder))
        return (("lang", "/var/lang"), ("runtime", "/var/runtime"), *copies)

    @property
    def image_key(self) -> str:
        """Stands for the folder's whole content: installs are never changed, only made anew."""
        content = f"{self.manifest.to_json()}{system_files(self.folder)}"
        return hashlib.sha256(content.encode()).hexdigest()

    def mapped_files(self) -> tuple[Path, ...]:
        """What its processes map: program and shared libraries, on the host."""
        places = ("lang/bin/*", "lang/lib/*.so*", "lang/lib/*/lib-dynload/*.so", "runtime/*.so")
        found = (path for place in places for path in self.folder.glob(place))
        return tuple(sorted({path.resolve() for path in found if path.is_file()}))

    @property
    def runtime_version(self) -> str:
        """As the INIT_START line names it; `plimsoll` where AWS has its own build's name."""
        series = self.name.removeprefix(self.language).removesuffix(".x")
        return f"{self.language}:{series}.plimsoll.v{self.manifest.version}"

    def version_arn(self, region: str) -> str:
        """The Runtime Version ARN: AWS's form around the digest of our manifest."""
        digest = hashlib.sha256(self.manifest.to_json().encode()).hexdigest()
        return f"arn:aws:lambda:{region}::runtime:{digest}"

    def command(self, memory_mib: int, handler: str) -> tuple[str, ...]:
        """The command inside the box. Node's flags are AWS's own (facts sheet C7: from its bootstrap script).

        `handler` is not part of it: both clients read `_HANDLER`.
        """
        if self.language == "python":
            series = self.name.removeprefix("python")
            return (f"/var/lang/bin/python{series}", "/var/runtime/bootstrap.py")
        tenth = memory_mib // 10
        return (
            "/var/lang/bin/node",
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
        own = {"AWS_EXECUTION_ENV": f"AWS_Lambda_{self.name}"}
        if self.language == "python":
            return {**own, "PYTHONPATH": "/var/runtime", "LC_CTYPE": "C.UTF-8"}
        major = self.name.removeprefix("nodejs").removesuffix(".x")
        path = (
            f"/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:"
            "/var/runtime/node_modules:/var/runtime:/var/task"
        )
        return {**own, "NODE_PATH": path}
