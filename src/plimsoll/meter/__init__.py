"""The only reader of live memory and of `/tmp`."""

from plimsoll.meter.meter import Measurement, Meter

__all__ = ["Measurement", "Meter"]
