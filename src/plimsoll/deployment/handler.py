"""Which handler: the one asked for, checked against the code; else the first usual one that exists.

Source of the form: facts sheet H5 and H6 (`file.export`; folders by `/`; in Node the first dot of the base name
splits, in Python the last of all).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plimsoll.deployment.exports import Exports, read_exports
from plimsoll.deployment.package import BOOTSTRAP, one_folder_down
from plimsoll.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plimsoll.deployment.package import Package
    from plimsoll.runtimes.catalog import Language

LENGTH_MAX = 128
"""Facts sheet H3; white space is refused there too."""
ENDINGS: dict[str, tuple[str, ...]] = {"nodejs": (".js", ".mjs", ".cjs"), "python": (".py",)}
USUAL = (
    "index.handler",
    "app.lambda_handler",
    "lambda_function.lambda_handler",
    "app.handler",
    "main.handler",
    "main.lambda_handler",
    "handler.handler",
    "index.lambda_handler",
)


def choose_handler(
    package: Package, language: Language, requested: str | None, *, check: bool = True
) -> str:
    """The handler string. `check=False` leaves a wrong one to the runtime's own error.

    Raises `CallerError` that lists the handlers that do exist, where the language is one that can be read.
    """
    if language not in ENDINGS:
        return _unread(package, language, requested, check=check)
    if requested is not None:
        if check:
            _refuse_constrained(requested)
            _check(package, language, requested)
        return requested
    if package.entry is not None:
        return _only_export(package, package.entry)
    for handler in USUAL:
        module, name = handler.split(".")
        file = find_file(package.root, language, module)
        if file is not None and _may_have(read_exports(file), name):
            return handler
    raise CallerError(
        f"no handler found in {package.source}: looked for {', '.join(USUAL[:4])} …; {_existing(package, language)}",
        mend=one_folder_down(package) or "name one: --handler file.export",
    )


def _unread(package: Package, language: Language, requested: str | None, *, check: bool) -> str:
    """Of other languages nothing is read; a custom runtime is handed whatever it may be, and need not look at it."""
    handler = requested if requested is not None or language != "provided" else BOOTSTRAP
    if handler is None:
        raise CallerError(
            f"{package.source}: which of it is the handler? Plimsoll does not read {language} code",
            mend="name it: --handler, as for CreateFunction",
        )
    if check:
        _refuse_constrained(handler)
    return handler


def find_file(root: Path, language: Language, module: str) -> Path | None:
    """The file of a handler's module part."""
    for ending in ENDINGS[language]:
        path = root / f"{module}{ending}"
        if path.is_file():
            return path
    return None


def split_handler(language: Language, handler: str) -> tuple[str, str]:
    """Module part and export part. Raises `CallerError` for another form."""
    folder, slash, base = handler.rpartition("/")
    if language == "python":
        module, dot, name = handler.rpartition(".")
        module = module.replace(".", "/")
    else:
        first, dot, name = base.partition(".")
        module = f"{folder}{slash}{first}"
    if not dot or not module or not name or ".." in handler:
        raise CallerError(
            f"{handler!r} is no handler; it has the form file.export, as in index.handler"
        )
    return module, name


def _refuse_constrained(handler: str) -> None:
    """What CreateFunction refuses by its form alone."""
    if len(handler) > LENGTH_MAX:
        raise CallerError(
            f"--handler is {len(handler)} characters long; Lambda takes at most {LENGTH_MAX}"
        )
    if any(character.isspace() for character in handler):
        raise CallerError(f"--handler {handler!r} has white space, which Lambda refuses")


def _check(package: Package, language: Language, handler: str) -> None:
    module, name = split_handler(language, handler)
    file = find_file(package.root, language, module)
    if file is None:
        if (package.root / module).is_dir():
            return  # a package folder: the runtime resolves it
        raise CallerError(
            f"the handler {handler} needs a file {module}{ENDINGS[language][0]}, which is not in {package.source}; "
            + _existing(package, language),
            mend=one_folder_down(package),
        )
    exports = read_exports(file)
    if exports.complete and name.split(".")[0] not in exports.names:
        raise CallerError(
            f"{file.name} does not export {name.split('.')[0]}; {_existing(package, language)}"
        )


def _may_have(exports: Exports, name: str) -> bool:
    return name in exports.names or not exports.complete


def _only_export(package: Package, entry: str) -> str:
    """A single file's handler: the usual name among its exports, or its one function."""
    stem = entry.rpartition(".")[0]
    exports = read_exports(package.root / entry)
    usual = [h.split(".")[1] for h in USUAL]
    candidates = [name for name in dict.fromkeys(usual) if name in exports.names]
    if candidates:
        return f"{stem}.{candidates[0]}"
    if len(exports.functions) == 1:
        return f"{stem}.{exports.functions[0]}"
    if not exports.complete and not exports.functions:
        return f"{stem}.{'lambda_handler' if entry.endswith('.py') else 'handler'}"
    there = ", ".join(f"{stem}.{name}" for name in exports.names) or "none"
    raise CallerError(
        f"{entry}: cannot tell which export is the handler; there are: {there}",
        mend="name one: --handler",
    )


def _existing(package: Package, language: Language) -> str:
    scanned = list(_scanned(package.root, language))
    there = [f"{stem}.{name}" for stem, exports in scanned for name in exports.functions]
    if not there:
        there = [f"{stem}.{name}" for stem, exports in scanned for name in exports.others]
    return (
        f"handlers that exist: {', '.join(there[:12])}" if there else "no exports were found in it"
    )


def _scanned(root: Path, language: Language) -> Iterator[tuple[str, Exports]]:
    for path in sorted(root.iterdir()):
        if path.suffix in ENDINGS[language] and path.is_file():
            yield path.stem, read_exports(path)
