"""One execution environment: its lifecycle, its box, its Runtime API and its meter together."""

from plimsoll.environment.environment import Environment

__all__ = ["Environment"]
