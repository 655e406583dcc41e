"""The Runtime API over a real loopback socket, as AWS answers it (facts sheet D1)."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from plimsoll.environment.ends import outcome_of_answer
from plimsoll.model import Invocation
from plimsoll.runtime_api import RESPONSE_LIMIT_BYTES, Answer, Delivery, Mailbox, Over, RuntimeApi
from plimsoll.runtime_api.server import CONNECTIONS_MAX, HEAD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = "/2018-06-01"
NEXT = f"GET {ROOT}/runtime/invocation/next"
RESPONSE = f"POST {ROOT}/runtime/invocation/id/response"
ERROR = f"POST {ROOT}/runtime/invocation/id/error"
INIT_ERROR = f"POST {ROOT}/runtime/init/error"
DELIVERY = Delivery(Invocation(b'{"x":1}', request_id="id"), 1_700_000_003_000, "arn:aws:lambda:f")
ACCEPTED = (
    "HTTP/1.1 202 Accepted",
    {"content-type": "application/json", "content-length": "16"},
    b'{"status":"OK"}\n',
)


class Runtime:
    """A runtime's side: one keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def ask(self, call: str, body: bytes = b"", **headers: str) -> None:
        """Sends a request and does not wait for its answer."""
        lines = [f"{call} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._writer.write(data)

    async def answer(self) -> tuple[str, dict[str, str], bytes]:
        """The next answer: status line, headers by lower-case name, body."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in headers.items()}
        return head[0], headers, await self._reader.readexactly(int(headers["content-length"]))

    async def call(
        self, call: str, body: bytes = b"", **headers: str
    ) -> tuple[str, dict[str, str], bytes]:
        """A request and its answer."""
        self.ask(call, body, **headers)
        return await self.answer()

    async def closed(self) -> bool:
        """Whether the other side has closed without another byte."""
        return await self._reader.read() == b""

    async def line(self) -> bytes:
        """The next line, as it is."""
        return await self._reader.readline()

    async def rest(self) -> bytes:
        """All that still comes until the other side closes."""
        return await self._reader.read()

    async def close(self) -> None:
        """Closes the connection."""
        self._writer.close()
        with suppress(ConnectionResetError):
            await self._writer.wait_closed()


class Served:
    """A Runtime API that listens, with the mailbox of its runtime."""

    def __init__(self) -> None:
        self.api = RuntimeApi()
        self.mailbox = self.api.mailbox = Mailbox()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._address: tuple[str, int] = self._socket.getsockname()

    async def start(self) -> None:
        """Listens."""
        await self.api.listen(self._socket)

    @asynccontextmanager
    async def runtime(self) -> AsyncIterator[Runtime]:
        """A connection to it."""
        connected = Runtime(*await asyncio.open_connection(*self._address))
        try:
            yield connected
        finally:
            await connected.close()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A Runtime API that listens until the test is over."""
    served = Served()
    await served.start()
    yield served
    await served.api.close()


async def handed(served: Served, runtime: Runtime, delivery: Delivery = DELIVERY) -> None:
    """Brings the runtime to where it has been handed an invocation."""
    runtime.ask(NEXT)
    assert await served.mailbox.over is Over.NEXT
    served.mailbox.dispatch(delivery)
    status, _, _ = await runtime.answer()
    assert status == "HTTP/1.1 200 OK"


def refused(status: str, error_type: str, message: str) -> tuple[str, bytes]:
    """A refusal's status line and body."""
    body = f'{{"errorMessage": "{message}", "errorType": "{error_type}"}}'
    return f"HTTP/1.1 {status}", body.encode()


async def test_ping(served: Served) -> None:
    """The emulator's own sign of life."""
    async with served.runtime() as runtime:
        status, headers, body = await runtime.call(f"GET {ROOT}/ping")
    assert (status, headers["content-type"], body) == ("HTTP/1.1 200 OK", "text/plain", b"pong")


async def test_next(served: Served) -> None:
    """The event as its body, all about it in headers; those that are empty are left out."""
    async with served.runtime() as runtime:
        runtime.ask(NEXT)
        assert await served.mailbox.over is Over.NEXT
        served.mailbox.dispatch(DELIVERY)
        assert await runtime.answer() == (
            "HTTP/1.1 200 OK",
            {
                "content-type": "application/json",
                "content-length": "7",
                "lambda-runtime-aws-request-id": "id",
                "lambda-runtime-deadline-ms": "1700000003000",
                "lambda-runtime-invoked-function-arn": "arn:aws:lambda:f",
            },
            b'{"x":1}',
        )


async def test_next_with_trace_and_context(served: Served) -> None:
    """Trace id and client context are passed on where the caller gave them."""
    invocation = Invocation(b"", "id", trace_id="Root=1-2-3;Sampled=0", client_context='{"a":1}')
    async with served.runtime() as runtime:
        runtime.ask(NEXT)
        await served.mailbox.over
        served.mailbox.dispatch(Delivery(invocation, 0, "arn"))
        _, headers, body = await runtime.answer()
    assert headers["lambda-runtime-trace-id"] == "Root=1-2-3;Sampled=0"
    assert headers["lambda-runtime-client-context"] == '{"a":1}'
    assert body == b""


async def test_response(served: Served) -> None:
    """A response is accepted in AWS's words, and the invocation is over with the next call on the same connection."""
    async with served.runtime() as runtime:
        await handed(served, runtime)
        assert await runtime.call(RESPONSE, b'{"ok":1}') == ACCEPTED
        assert served.mailbox.answer == Answer(b'{"ok":1}')
        assert not served.mailbox.over.done()
        runtime.ask(NEXT)
        assert await served.mailbox.over is Over.NEXT


async def test_response_in_chunks(served: Served) -> None:
    """A body may come chunked and in pieces of any size."""
    request = (
        f"{RESPONSE} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    async with served.runtime() as runtime:
        await handed(served, runtime)
        for byte in request.encode():
            runtime.send(bytes([byte]))
        assert await runtime.answer() == ACCEPTED
    assert served.mailbox.answer == Answer(b"abcde")


@pytest.mark.parametrize("call", [RESPONSE, ERROR], ids=["response", "error"])
@pytest.mark.parametrize("over", [0, 1])
async def test_response_limit(served: Served, call: str, over: int) -> None:
    """6,291,556 bytes are taken, of an error as well; one more is refused, and the caller hears that it was too large."""
    async with served.runtime() as runtime:
        await handed(served, runtime)
        status, _, body = await runtime.call(call, b"x" * (RESPONSE_LIMIT_BYTES + over))
    answer = served.mailbox.answer
    assert answer is not None
    if over:
        message = "Exceeded maximum allowed payload size (6291556 bytes)."
        expected = refused("413 Request Entity Too Large", "RequestEntityTooLarge", message)
        assert expected == (status, body)
        assert answer == Answer(b"", is_error=True, too_large=True)
        assert outcome_of_answer("id", answer).error_type == "Function.ResponseSizeTooLarge"
    else:
        assert (status, len(answer.payload)) == ("HTTP/1.1 202 Accepted", 6_291_556)


async def test_error(served: Served) -> None:
    """An error is the runtime's object as it was posted, with the header's type, in whatever case it is written."""
    async with served.runtime() as runtime:
        await handed(served, runtime)
        kind = {"LAMBDA_RUNTIME_Function_Error_Type": "Runtime.Mine"}
        assert await runtime.call(ERROR, b'{"errorType":"E"}', **kind) == ACCEPTED
    assert served.mailbox.answer == Answer(b'{"errorType":"E"}', True, "Runtime.Mine")


async def test_init_error(served: Served) -> None:
    """An init error ends the init; the runtime, which exits then, has its answer once it has been looked at."""
    async with served.runtime() as runtime:
        runtime.ask(INIT_ERROR, b"{}", Connection="close")
        await served.mailbox.over
        served.mailbox.accept_init_error()
        assert await runtime.answer() == ACCEPTED
        assert await runtime.closed()
    assert served.mailbox.over.result() is Over.INIT_ERROR
    assert served.mailbox.answer == Answer(b"{}", is_error=True)


@pytest.mark.parametrize(
    ("calls", "refusal"),
    [
        (
            [RESPONSE, RESPONSE],
            refused(
                "403 Forbidden",
                "InvalidStateTransition",
                "State transition from ResponseSent to InvocationResponse failed for runtime. "
                "Error: State transition is not allowed",
            ),
        ),
        (
            [NEXT],
            refused(
                "403 Forbidden",
                "InvalidStateTransition",
                "State transition from Running to Ready failed for runtime. "
                "Error: State transition is not allowed",
            ),
        ),
        (
            [INIT_ERROR],
            refused(
                "403 Forbidden",
                "InvalidStateTransition",
                "State transition from Running to InitError failed for runtime. "
                "Error: State transition is not allowed",
            ),
        ),
        (
            [RESPONSE.replace("/id/", "/other/")],
            refused("400 Bad Request", "InvalidRequestID", "Invalid request ID"),
        ),
        (
            [ERROR.replace("/id/", "/other/")],
            refused("400 Bad Request", "InvalidRequestID", "Invalid request ID"),
        ),
        (
            [f"GET {ROOT}/runtime/restore/next"],
            refused(
                "404 Not Found",
                "SnapStartNotSupported",
                "Plimsoll does not restore snapshots (SnapStart)",
            ),
        ),
        (
            ["GET /elsewhere"],
            refused("404 Not Found", "NotFound", "no such call: GET /elsewhere"),
        ),
        (
            [f"POST {ROOT}/runtime/invocation/next"],
            refused(
                *("404 Not Found", "NotFound"),
                "no such call: POST /2018-06-01/runtime/invocation/next",
            ),
        ),
    ],
    ids=[
        "twice",
        "next",
        "init-error",
        "other-response",
        "other-error",
        "restore",
        "path",
        "method",
    ],
)
async def test_refusals(served: Served, calls: list[str], refusal: tuple[str, bytes]) -> None:
    """What is not allowed while an invocation runs is refused in AWS's words, and the connection goes on."""
    async with served.runtime() as runtime:
        await handed(served, runtime)
        for call in calls[:-1]:
            await runtime.call(call)
        status, _, body = await runtime.call(calls[-1])
        assert refusal == (status, body)
        assert (await runtime.call(f"GET {ROOT}/ping"))[2] == b"pong"


async def test_no_http(served: Served) -> None:
    """What is no HTTP is told so and the connection closed."""
    async with served.runtime() as runtime:
        runtime.send(b"\x00\x01 this is no HTTP\r\n\r\n")
        status, _, body = await runtime.answer()
        expected = refused(
            "400 Bad Request", "TruncatedHTTPRequest", "HTTP request detected as truncated"
        )
        assert expected == (status, body)
        assert await runtime.closed()


@pytest.mark.parametrize("ours", [True, False])
async def test_who_is_not_admitted(served: Served, ours: bool) -> None:
    """Whoever the environment does not know has its connection closed before it has said a word."""
    asked: list[object] = []

    def admits(client: tuple[str, int], server: tuple[str, int]) -> bool:
        asked.append((client[0], server[0]))
        return ours

    served.api.admits = admits
    async with served.runtime() as runtime:
        if ours:
            assert (await runtime.call(f"GET {ROOT}/ping"))[2] == b"pong"
        else:
            with suppress(ConnectionResetError):
                assert await runtime.closed()
    assert asked == [("127.0.0.1", "127.0.0.1")]


async def test_no_more_connections_than_a_client_needs(served: Served) -> None:
    """The one too many is closed; the others go on."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(served.runtime()) for _ in range(CONNECTIONS_MAX)]
        for runtime in opened:
            assert (await runtime.call(f"GET {ROOT}/ping"))[2] == b"pong"
        one_more = await stack.enter_async_context(served.runtime())
        with suppress(ConnectionResetError):
            assert await one_more.closed()


async def test_expect_continue(served: Served) -> None:
    """A client that waits for 100 Continue before it sends its body is told to go on."""
    async with served.runtime() as runtime:
        await handed(served, runtime)
        runtime.send(
            f"{RESPONSE} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n".encode()
        )
        assert await runtime.line() == b"HTTP/1.1 100 Continue\r\n"
        assert await runtime.line() == b"\r\n"
        runtime.send(b"1")
        assert await runtime.answer() == ACCEPTED


async def test_connection_close(served: Served) -> None:
    """A client that wants to close is answered, and then closed."""
    async with served.runtime() as runtime:
        assert (await runtime.call(f"GET {ROOT}/ping", Connection="close"))[2] == b"pong"
        assert await runtime.closed()


async def test_upgrade(served: Served) -> None:
    """An offer of another protocol is not taken up; the connection goes on in this one."""
    async with served.runtime() as runtime:
        for _ in range(2):
            answer = await runtime.call(f"GET {ROOT}/ping", Connection="Upgrade", Upgrade="h2c")
            assert answer[2] == b"pong"


async def test_head_limit(served: Served) -> None:
    """A request whose headers are larger than any client's is not read to its end."""
    async with served.runtime() as runtime:
        runtime.send(f"{NEXT} HTTP/1.1\r\nX: {'x' * HEAD_BYTES_MAX}\r\n\r\n".encode())
        with suppress(ConnectionResetError):
            await runtime.rest()
    assert not served.mailbox.over.done()


async def test_dead_runtimes_connections_are_dropped(served: Served) -> None:
    """When a runtime died its connections are closed, and a new one's mailbox hears nothing of it."""
    async with served.runtime() as old:
        old.ask(NEXT)
        await served.mailbox.over
        served.api.mailbox = Mailbox()
        served.api.drop_connections()
        assert await old.closed()
    assert not served.api.mailbox.over.done()


async def test_lost_connection(served: Served) -> None:
    """A client that lost its connection while it waited asks again on another, and is handed the event there."""
    async with served.runtime() as lost:
        lost.ask(NEXT)
        await served.mailbox.over
    async with served.runtime() as runtime:
        runtime.ask(NEXT)
        assert (await runtime.call(f"GET {ROOT}/ping"))[2] == b"pong"
        served.mailbox.dispatch(DELIVERY)
        assert (await runtime.answer())[2] == b'{"x":1}'


async def test_connection_lost_before_the_event(served: Served) -> None:
    """A client whose connection broke before there was an event is handed it when it asks again."""
    async with served.runtime() as lost:
        lost.ask(NEXT)
        await served.mailbox.over
    async with served.runtime() as runtime:
        assert (await runtime.call(f"GET {ROOT}/ping"))[2] == b"pong"
        served.mailbox.dispatch(DELIVERY)
        assert (await runtime.call(NEXT))[2] == b'{"x":1}'
        assert await runtime.call(RESPONSE, b"1") == ACCEPTED


async def test_closing(served: Served) -> None:
    """A closed API drops its connections and takes no more."""
    async with served.runtime() as runtime:
        await runtime.call(f"GET {ROOT}/ping")
        await served.api.close()
        assert await runtime.closed()
    with pytest.raises(ConnectionRefusedError):
        async with served.runtime():
            pass
