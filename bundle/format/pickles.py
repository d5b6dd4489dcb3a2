"""Files that are mostly pickles, by their names: loading one can run code.

Loaders choose how to read a file by its name, so a name is what is to be feared.
"""

from __future__ import annotations

from typing import Final

PICKLE_SUFFIXES: Final = (".bin", ".pt", ".pkl", ".ckpt", ".pth", ".joblib")
"""Their endings, in lower case."""


def is_pickle(path: str) -> bool:
    """Return whether a loader may read the file at ``path`` as a pickle."""
    return path.lower().endswith(PICKLE_SUFFIXES)
