"""What images are called that come from places without a registry.

>>> repository_of("/srv/My App (2)/")
'my-app-2'
>>> repository_of("/srv/___")
'image'
"""

from __future__ import annotations

import re
from typing import Final

_ODD: Final = re.compile(r"[^a-z0-9._-]+")
_RUNS: Final = re.compile(r"[._-]*-[._-]*|\.[._-]+|_[.]+|_{3,}")
_LONGEST: Final = 64


def repository_of(path: str) -> str:
    """Return the repository that stands for a layout or a file at ``path``."""
    last = path.rstrip("/").rpartition("/")[2].lower()
    for ending in (".tar", ".oci"):
        last = last.removesuffix(ending)
    name = _RUNS.sub("-", _ODD.sub("-", last))[:_LONGEST].strip("._-")
    return name or "image"
