"""The language runtimes that this host can run: which there are, how they start, how to get them."""

from plimsoll.runtimes.catalog import Offer
from plimsoll.runtimes.runtime import Runtime
from plimsoll.runtimes.store import RuntimeStore

__all__ = ["Offer", "Runtime", "RuntimeStore"]
