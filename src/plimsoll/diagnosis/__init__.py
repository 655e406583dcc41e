"""Run, watch, judge: the experiment and its verdict."""

from plimsoll.diagnosis.judge import judge
from plimsoll.diagnosis.run import run

__all__ = ["judge", "run"]
