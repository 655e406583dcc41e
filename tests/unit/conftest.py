"""What all unit tests share: how hypothesis searches, the same on a quick machine and on a loaded one."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unit", max_examples=60, deadline=None)
settings.load_profile("unit")
