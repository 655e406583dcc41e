"""From what the user names to what is deployed: package, layers, handler, runtime, event, variables, limits."""

from plimsoll.deployment.archive import UNZIPPED_LIMIT_BYTES, extract
from plimsoll.deployment.event import read_event
from plimsoll.deployment.handler import choose_handler
from plimsoll.deployment.layers import merge_layers
from plimsoll.deployment.limits import check_interval, check_memory, check_timeout, check_tmp
from plimsoll.deployment.package import Package, resolve
from plimsoll.deployment.runtime_choice import choose_runtime
from plimsoll.deployment.variables import parse_env

__all__ = [
    "UNZIPPED_LIMIT_BYTES",
    "Package",
    "check_interval",
    "check_memory",
    "check_timeout",
    "check_tmp",
    "choose_handler",
    "choose_runtime",
    "extract",
    "merge_layers",
    "parse_env",
    "read_event",
    "resolve",
]
