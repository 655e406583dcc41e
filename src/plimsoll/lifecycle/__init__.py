"""State machines as tables, without I/O: what may follow what. Refused by default."""

from plimsoll.lifecycle.environment import ENVIRONMENT, EnvironmentEvent, EnvironmentState
from plimsoll.lifecycle.machine import IllegalTransition, Machine
from plimsoll.lifecycle.runtime import RUNTIME, RuntimeEvent, RuntimeState

__all__ = [
    "ENVIRONMENT",
    "RUNTIME",
    "EnvironmentEvent",
    "EnvironmentState",
    "IllegalTransition",
    "Machine",
    "RuntimeEvent",
    "RuntimeState",
]
