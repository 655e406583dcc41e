"""The Runtime API of one environment (facts sheet D1), as a plain asyncio protocol on httptools.

Rule: this is the invoke path. Calls are routed by one visible table, answered from bytes that are ready made, and
no task is started: `next` is answered from inside `Mailbox.dispatch`. A web framework here costs 0.2 ms a call.
"""

from __future__ import annotations

import asyncio
import functools
import json
import socket
from typing import TYPE_CHECKING

import httptools

from plimsoll.lifecycle import IllegalTransition
from plimsoll.runtime_api.mailbox import (
    RESPONSE_LIMIT_BYTES,
    Answer,
    Delivery,
    InvalidRequestId,
    Mailbox,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Address = tuple[str, int]
_VERSION = b"/2018-06-01/runtime/"
_NEXT = b"/2018-06-01/runtime/invocation/next"
CONNECTIONS_MAX = 64
"""Of one environment at once; a runtime client has one or two."""
HEAD_BYTES_MAX = 1 << 18
"""Of a request's line and headers; the largest that a client sends is an X-Ray cause of 64 KiB."""
_ACCEPTED = b'{"status":"OK"}\n'
_REASONS = {200: b"OK", 202: b"Accepted", 400: b"Bad Request", 403: b"Forbidden",
            404: b"Not Found", 413: b"Request Entity Too Large"}  # fmt: skip


class RuntimeApi:
    """The listener of one environment. `mailbox` is set anew with each new runtime process, before it starts."""

    mailbox: Mailbox

    def __init__(self, admits: Callable[[Address, Address], bool] | None = None) -> None:
        """`admits` is asked with a new connection's client and server end; default: whoever reaches it comes in."""
        self.admits = admits
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def listen(self, sock: socket.socket) -> None:
        """Serves on a listening socket, which may belong to another network namespace."""
        loop = asyncio.get_running_loop()
        # inherited by what it accepts; asyncio sets it itself only on sockets made with the protocol spelt out.
        # Without it an acknowledgement and the next event, two writes, wait 40 ms for the runtime's own ACK.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = await loop.create_server(lambda: _Connection(self), sock=sock)

    def drop_connections(self) -> None:
        """Closes all connections: their runtime is dead."""
        for connection in list(self._connections):
            connection.abort()

    async def close(self) -> None:
        """Stops listening and drops all connections."""
        if self._server is not None:
            self._server.close()
        self.drop_connections()


class _Connection(asyncio.Protocol):
    """One keep-alive connection of a runtime; requests come one after the other."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._connections = api._connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._mailbox = api.mailbox
        self._closes = False
        """The client wants no second answer on this connection."""
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._body: list[bytes] = []
        self._size = self._head_size = 0
        self._headers: list[tuple[bytes, bytes]] = []

    # asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        ends = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        admitted = self._api.admits is None or self._api.admits(*ends)
        if not admitted or len(self._connections) >= CONNECTIONS_MAX:
            transport.abort()
            return
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._mailbox.forget_parked(self._deliver)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return  # not admitted
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # an offer that is not taken up (h2c); the request itself has been answered by now
            self._parser = httptools.HttpRequestParser(self)
            self.data_received(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._send_error(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")
            self.abort()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # httptools
    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        self._count_head(len(name) + len(value))
        if len(name) == 6 and name.lower() == b"expect" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _count_head(self, more: int) -> None:
        self._head_size += more
        if self._head_size > HEAD_BYTES_MAX:
            self.abort()
            raise ValueError("a request's head is too large")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= RESPONSE_LIMIT_BYTES:  # what is over the limit is counted, not kept
            self._body.append(body)

    def on_message_complete(self) -> None:
        method, url = self._parser.get_method(), self._url
        self._closes = not self._parser.should_keep_alive()
        try:
            self._route(method, url)
        except IllegalTransition as error:
            self._send_error(
                403,
                "InvalidStateTransition",
                f"State transition from {error.state.value} to {error.event.value} failed for runtime. "
                "Error: State transition is not allowed",
            )
        except InvalidRequestId:
            self._send_error(400, "InvalidRequestID", "Invalid request ID")
        finally:
            self._reset()

    def _route(self, method: bytes, url: bytes) -> None:
        if url == _NEXT and method == b"GET":
            self._mailbox.on_next(self._deliver)
            return
        url = url.partition(b"?")[0]
        if url == b"/2018-06-01/ping":
            self._send(200, b"pong", b"text/plain")
            return
        parts = url.removeprefix(_VERSION).split(b"/") if url.startswith(_VERSION) else []
        match method, parts:
            case b"POST", [b"invocation", request_id, b"response"]:
                self._on_answer(request_id.decode("latin-1"), Answer(b"".join(self._body)))
            case b"POST", [b"invocation", request_id, b"error"]:
                self._on_answer(request_id.decode("latin-1"), self._posted_error())
            case b"POST", [b"init", b"error"]:
                accept = functools.partial(self._send, 202, _ACCEPTED)
                self._mailbox.on_init_error(self._posted_error(), accept)
            case _, [b"restore", *_]:
                self._send_error(
                    404, "SnapStartNotSupported", "Plimsoll does not restore snapshots (SnapStart)"
                )
            case _:
                self._send_error(404, "NotFound", f"no such call: {method.decode()} {url.decode()}")

    def _on_answer(self, request_id: str, answer: Answer) -> None:
        if self._size > RESPONSE_LIMIT_BYTES:
            self._mailbox.on_answer(request_id, Answer(b"", is_error=True, too_large=True))
            message = f"Exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."
            self._send_error(413, "RequestEntityTooLarge", message)
            return
        self._mailbox.on_answer(request_id, answer)
        self._send(202, _ACCEPTED)

    def _posted_error(self) -> Answer:
        headers = {name.lower(): value for name, value in self._headers}
        error_type = headers.get(b"lambda-runtime-function-error-type")
        return Answer(
            b"".join(self._body),
            is_error=True,
            error_type=error_type.decode("latin-1") if error_type else None,
        )

    def _deliver(self, delivery: Delivery) -> None:
        invocation = delivery.invocation
        head = [
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(invocation.payload)}\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {invocation.request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {delivery.deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {delivery.arn}\r\n"
        ]
        if invocation.trace_id:
            head.append(f"Lambda-Runtime-Trace-Id: {invocation.trace_id}\r\n")
        if invocation.client_context:
            head.append(f"Lambda-Runtime-Client-Context: {invocation.client_context}\r\n")
        head.append("\r\n")
        if self._transport is not None:
            self._transport.writelines(("".join(head).encode("latin-1"), invocation.payload))
            if self._closes:
                self._transport.close()

    def _send(self, status: int, body: bytes, content_type: bytes = b"application/json") -> None:
        if self._transport is not None:
            self._transport.write(
                b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
                % (status, _REASONS[status], content_type, len(body), body)
            )
            if self._closes:
                self._transport.close()

    def _send_error(self, status: int, error_type: str, message: str) -> None:
        self._send(status, json.dumps({"errorMessage": message, "errorType": error_type}).encode())
