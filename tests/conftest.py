"""How much of each property is tried: the same slice every time, or new examples."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("slice", deadline=None, derandomize=True, database=None)
settings.register_profile("soak", deadline=None, print_blob=True)
settings.load_profile("slice")
