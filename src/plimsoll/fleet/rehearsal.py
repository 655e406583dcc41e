"""A rehearsal: one invocation of a function that does nothing, to learn which pages a runtime touches when it starts.

Why. An environment reads its runtime from an image of its own, page fault by page fault, each of which waits for
the loop device: half of a cold start. Which pages it will touch is always the same. So the first process of each later
environment asks for all of them at once before it becomes the runtime, and they come while that already runs. The pages
are the same ones, so the figures are too (docs/decisions/0012).

Rule: what is learned is of the runtime alone. The pages of a function's libraries are never asked for ahead.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll.environment import Environment
from plimsoll.model import Function, Invocation

if TYPE_CHECKING:
    from plimsoll.environment.housing import Housing
    from plimsoll.model.memory import Touched
    from plimsoll.runtimes import Runtime
    from plimsoll.sandbox.stock import Stock

_HANDLERS = {"nodejs": "index.handler", "python": "app.handler"}


def rehearsal_function(runtime: Runtime) -> Function | None:
    """The function that does nothing; None for a runtime of which nothing can be learned."""
    handler = _HANDLERS.get(runtime.language)
    if handler is None or runtime.has_root:
        return None
    code = Path(str(resources.files("plimsoll.runtimes") / "rehearsal"))
    return Function("rehearsal", runtime.name, handler, code, timeout_s=30)


async def rehearse(function: Function, runtime: Runtime, stock: Stock, housing: Housing) -> Touched:
    """What the runtime touched until it had answered once; nothing where it did not.

    Raises `PlatformError` where there can be no environment at all.
    """
    environment = Environment.build(function, runtime, stock, housing)
    try:
        completed = await environment.invoke(Invocation())
        if completed.report.status == "success":
            return environment.touched([place for _, place in runtime.shown])
        return ()
    finally:
        await environment.stop()
