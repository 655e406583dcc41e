"""The only reader of live memory and of `/tmp`."""

from plimsoll.meter.meter import Measurement, Meter
from plimsoll.meter.touched import touched

__all__ = ["Measurement", "Meter", "touched"]
