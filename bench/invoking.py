"""Invocations: warm and cold against the emulator and a plain exec, and what metering takes of a warm one."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
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
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from plimsoll.model import Function
    from plimsoll.runtimes import RuntimeStore

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
    spent: list[float] = []

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return method(*given, **named)
            finally:
                spent.append(time.perf_counter() - started)

        return call

    names = ("start_window", "finish", "tmp_size", "was_out_of_memory")
    original = {name: getattr(Meter, name) for name in names}
    for name in names:
        setattr(Meter, name, timed(original[name]))
    try:
        function = hello(folder, RUNTIMES[0])
        shares = []
        async with open_fleet(store) as fleet:
            await fleet.invoke(function, Invocation())
            for _ in range(1000):
                spent.clear()
                started = time.perf_counter()
                await fleet.invoke(function, Invocation())
                shares.append(sum(spent) / (time.perf_counter() - started))
    finally:
        for name in names:
            setattr(Meter, name, original[name])
    return [Result("metering's share of a warm invocation", statistics.median(shares), "", 0.10)]


async def cold(store: RuntimeStore, folder: Path) -> list[Result]:
    """From "invoke" to the first response: the full box against a plain exec of the same client."""
    return [await _cold(store, folder, name) for name in RUNTIMES]


async def _cold(store: RuntimeStore, folder: Path, name: str) -> Result:
    function = hello(folder, name)
    runtime = store.get(name)
    versions = _versions()
    async with open_fleet(store) as fleet:

        async def ours() -> float:
            await asyncio.sleep(_PAUSE_S)  # the last one's teardown is not this one's time
            fresh = hello(folder, name, memory_mib=next(versions))
            started = time.perf_counter()
            await fleet.invoke(fresh, Invocation())
            return (time.perf_counter() - started) * 1e3

        async def theirs() -> float:
            await asyncio.sleep(_PAUSE_S)
            started = time.perf_counter()
            async with plain_exec(runtime, function) as mailbox:
                await first_response(mailbox, function)
                return (time.perf_counter() - started) * 1e3

        mine, plain = await take_turns(ours, theirs, _COLD_ROUNDS)
    return Result(f"cold start, {name}", mine, "ms", 1.15, "plain exec", plain)


def _versions() -> Iterator[int]:
    """A changed configuration ends the warm environment and makes a new one."""
    return iter(range(256, 10240))
