"""Many environments: which one takes an invocation, and when they end. The command line and the service use it."""

from plimsoll.fleet.fleet import Fleet, open_fleet

__all__ = ["Fleet", "open_fleet"]
