"""Invocations: warm and cold against the emulator and a plain exec, and what metering takes of a warm one."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.functions import RUNTIMES, hello
from bench.peers import (
    emulator_request,
    first_response,
    plain_exec,
    read_answer,
    running_emulator,
)
from bench.turns import Result, take_turns
from plimsoll.fleet import open_fleet
from plimsoll.meter import Meter
from plimsoll.model import Invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from plimsoll.model import Function
    from plimsoll.model.memory import Accounting
    from plimsoll.runtimes import RuntimeStore

_COLD_GOALS: Mapping[Accounting, float] = {"exact": 1.6, "shared": 1.15}
_BATCH, _ROUNDS, _COLD_ROUNDS, _PAUSE_S = 100, 15, 15, 0.05


async def warm(store: RuntimeStore, folder: Path) -> list[Result]:
    """p50 of a warm invocation in process, metering and REPORT included, against the emulator's over HTTP."""
    return [await _warm(store, hello(folder, name)) for name in RUNTIMES]


async def _warm(store: RuntimeStore, function: Function) -> Result:
    runtime = store.get(function.runtime)
    async with open_fleet(store) as fleet:
        with running_emulator(runtime, function) as port:
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = emulator_request(b"{}")

            async def ours() -> float:
                times = []
                for _ in range(_BATCH):
                    started = time.perf_counter()
                    completed = await fleet.invoke(function, Invocation())
                    times.append(time.perf_counter() - started)
                    assert completed.outcome.payload.replace(b" ", b"") == b'{"ok":true}'
                return statistics.median(times) * 1e6

            async def theirs() -> float:
                times = []
                for _ in range(_BATCH):
                    started = time.perf_counter()
                    connection.sendall(request)
                    body = read_answer(connection)
                    times.append(time.perf_counter() - started)
                    assert body.replace(b" ", b"") == b'{"ok":true}'
                return statistics.median(times) * 1e6

            mine, emulators = await take_turns(ours, theirs, _ROUNDS)
            connection.close()
    return Result(f"warm invocation p50, {function.runtime}", mine, "us", 0.6, "RIE", emulators)


async def metering(store: RuntimeStore, folder: Path) -> list[Result]:
    """The share of a warm invocation that is spent in the meter's two calls on its path."""
    return [await _metering(store, hello(folder, name)) for name in RUNTIMES]


async def _metering(store: RuntimeStore, function: Function) -> Result:
    shares = []
    async with open_fleet(store) as fleet:
        with _stopwatch(Meter, "start_window", "finish") as spent:
            for _ in range(_ROUNDS * _BATCH):
                spent.clear()
                started = time.perf_counter()
                await fleet.invoke(function, Invocation())
                shares.append(sum(spent) / (time.perf_counter() - started))
    name = f"metering's share of a warm invocation, {function.runtime}"
    return Result(name, statistics.median(shares), "", 0.10)


@contextmanager
def _stopwatch(of: type, *names: str) -> Iterator[list[float]]:
    """Times each call of some methods of a class, in seconds."""
    spent: list[float] = []

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return method(*given, **named)
            finally:
                spent.append(time.perf_counter() - started)

        return call

    original = {name: getattr(of, name) for name in names}
    try:
        for name, method in original.items():
            setattr(of, name, timed(method))
        yield spent
    finally:
        for name, method in original.items():
            setattr(of, name, method)


async def cold(store: RuntimeStore, folder: Path) -> list[Result]:
    """From "invoke" to the first response: the full box against a plain exec of the same client."""
    return [
        await _cold(store, hello(folder, name), accounting, goal)
        for accounting, goal in _COLD_GOALS.items()
        for name in RUNTIMES
    ]


async def _cold(
    store: RuntimeStore, function: Function, accounting: Accounting, goal: float
) -> Result:
    runtime = store.get(function.runtime)
    async with open_fleet(store, accounting) as fleet:

        async def ours() -> float:
            await asyncio.sleep(_PAUSE_S)
            started = time.perf_counter()
            await fleet.invoke(function, Invocation())
            taken = time.perf_counter() - started
            await fleet.recycle(function)
            return taken * 1e3

        async def theirs() -> float:
            await asyncio.sleep(_PAUSE_S)
            started = time.perf_counter()
            async with plain_exec(runtime, function) as mailbox:
                await first_response(mailbox, function)
                taken = time.perf_counter() - started
            return taken * 1e3

        mine, plain = await take_turns(ours, theirs, _COLD_ROUNDS)
    name = f"cold start, {accounting}, {function.runtime}"
    return Result(name, mine, "ms", goal, "plain exec", plain)
