"""`plimsoll runtimes`: list, add, remove the runtimes that this host can run, and the images that go with them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from plimsoll.cli.listing import listing_console, table_or_json
from plimsoll.errors import CallerError, HostCannot
from plimsoll.images import ImageStore
from plimsoll.runtimes import RuntimeStore
from plimsoll.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from plimsoll.runtimes import Runtime


@click.group(
    epilog="\b\nExamples:\n  plimsoll runtimes list\n  plimsoll runtimes add nodejs20.x python3.12\n"
    "  plimsoll runtimes add java21 --from lambda-java21.tar\n  plimsoll runtimes remove nodejs20.x"
)
def runtimes() -> None:
    """List, add and remove the runtimes that this host can run."""


@runtimes.command("list", epilog="\b\nExample:\n  plimsoll runtimes list --format json")
@table_or_json
def list_(form: str) -> int:
    """What is installed, what can be added, and what is missing for the rest."""
    store, images = _stores()
    keys = {runtime.name: runtime.image_key for runtime in store.installed()}
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("runtime", "state", "version", "size", ""):
        table.add_column(column)
    for offer in store.catalog():
        image_bytes = images.runtime_bytes(keys[offer.name]) if offer.name in keys else 0
        if form == "json":
            members = {
                "name": offer.name,
                "state": offer.state,
                "version": offer.version or None,
                "sizeBytes": offer.size_bytes or None,
                "imageBytes": image_bytes or None,
                "source": offer.source or None,
                "reason": offer.reason or None,
                "mend": offer.mend or None,
            }
            click.echo(json.dumps({"type": "runtime", **members}))
            continue
        size = _mb(offer.size_bytes + image_bytes) if offer.size_bytes else ""
        notes = (offer.source and f"from {offer.source}", offer.reason, offer.mend)
        table.add_row(offer.name, offer.state, offer.version, size, "; ".join(filter(None, notes)))
    if form != "json":
        listing_console().print(table)
    return 0


@runtimes.command()
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="SOURCE",
    help="A language's folder or a root file system, as a folder, a tar, or an OCI image.",
)
@click.option("--yes", is_flag=True, help="Do not ask before fetching.")
def add(names: tuple[str, ...], source: Path | None, yes: bool) -> int:
    """Install runtimes: Node from npm, Python from what the host has; AWS's client with each.

    With --from it is installed from what you name, in the place of one that is there. A root file system with a
    /var/runtime/bootstrap, as AWS's own base images have it, is run by that, unchanged.

    \b
    Examples:
      plimsoll runtimes add nodejs20.x python3.12
      plimsoll runtimes add python3.12 --from lambda-python-3.12.tar
    """
    store, images = _stores()
    for name in names:
        store.check(name, from_source=source is not None)
    if source is not None and len(names) > 1:
        raise CallerError("--from is for one runtime; name one", mend="run it once for each")
    had = {runtime.name: runtime.image_key for runtime in store.installed()}
    wanted = [name for name in names if source is not None or not _is_there(name, store)]
    if wanted and not yes and not _agreed(wanted, source):
        return 0
    for name in names:
        tell = _teller(name)
        added = store.add(name, tell) if source is None else store.add_from(name, source, tell)
        old = had.get(name)
        if old is not None and old != added.image_key:
            images.remove_runtime(old)
        _make_image(added, images, tell)
        click.echo(_described(added))
    return 0


@runtimes.command()
@click.argument("names", nargs=-1, required=True)
def remove(names: tuple[str, ...]) -> int:
    """Remove installed runtimes, with their images.

    \b
    Example:
      plimsoll runtimes remove nodejs20.x
    """
    store, images = _stores()
    keys = {runtime.name: runtime.image_key for runtime in store.installed()}
    for name in names:
        store.remove(name)
        if name in keys:
            images.remove_runtime(keys[name])
        click.echo(f"{name} removed")
    return 0


@runtimes.command(epilog="\b\nExample:\n  plimsoll runtimes prune")
def prune() -> int:
    """Remove the images that no installed runtime needs, and those of code: they are made anew when needed."""
    store, images = _stores()
    pruned = images.prune([runtime.image_key for runtime in store.installed()])
    for image in pruned:
        click.echo(f"{image.name} removed: {_mb(image.freed_bytes)}")
    click.echo(f"{_mb(sum(image.freed_bytes for image in pruned))} freed")
    return 0


def _agreed(wanted: list[str], source: Path | None) -> bool:
    """Asks. Raises `CallerError` where nobody can be asked."""
    given = [] if source is None else ["--from", str(source)]
    if not os.isatty(0):
        raise CallerError(
            "installing runtimes needs a yes, and standard input is no terminal that could be asked",
            mend=f"plimsoll runtimes add --yes {' '.join([*wanted, *given])}",
        )
    listed = ", ".join(wanted)
    asked = f"Fetch {listed}?" if source is None else f"Install {listed} from {source}?"
    agreed = click.confirm(asked, default=True)
    if not agreed:
        click.echo("nothing fetched", err=True)
    return agreed


def _is_there(name: str, store: RuntimeStore) -> bool:
    """Whether nothing would be fetched."""
    try:
        store.get(name)
    except CallerError:
        return False
    return True


def _teller(name: str) -> Callable[[str], None]:
    return lambda step: click.echo(f"{name}: {step}", err=True)


def _make_image(runtime: Runtime, images: ImageStore, tell: Callable[[str], None]) -> None:
    """So that the first invocation need not. Where it cannot be made, that is told and no reason to fail."""
    if runtime.is_built_in or images.runtime_bytes(runtime.image_key):
        return
    tell("making its file-system image")
    try:
        images.of_runtime(runtime.image_key, runtime.folder)
    except HostCannot as error:
        tell(f"no image, so that its accounting will be `shared`: {error.message}")


def _described(runtime: Runtime) -> str:
    if runtime.is_built_in:
        return f"{runtime.name} is built in: it runs the bootstrap that the function brings"
    manifest = runtime.manifest
    client = manifest.client or (
        "its own bootstrap" if not runtime.bootstraps else "the function's bootstrap"
    )
    return f"{runtime.name} {manifest.version} ({client})"


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.0f} MB"


def _stores() -> tuple[RuntimeStore, ImageStore]:
    folder = read_settings(os.environ).data_folder
    return RuntimeStore(folder), ImageStore(folder)
