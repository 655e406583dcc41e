"""What the function's processes speak to: the Runtime API over HTTP, and the log pipes. One set per environment."""

from plimsoll.runtime_api.logs import LogPipes
from plimsoll.runtime_api.mailbox import RESPONSE_LIMIT_BYTES, Answer, Delivery, Mailbox, Over
from plimsoll.runtime_api.server import RuntimeApi

__all__ = [
    "RESPONSE_LIMIT_BYTES",
    "Answer",
    "Delivery",
    "LogPipes",
    "Mailbox",
    "Over",
    "RuntimeApi",
]
