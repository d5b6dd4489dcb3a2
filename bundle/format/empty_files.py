"""Files of no bytes: their digests are known without looking (spec §6.7).

Nobody puts them together, so nobody else would notice that a recipe gives one of
them the digest of something.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.errors import IntegrityError
from bundle.format.columns import windows
from bundle.format.recipe_layout import Mode

if TYPE_CHECKING:
    from bundle.format.recipe import Recipe

_SHA256_OF_NOTHING: Final = np.frombuffer(hashlib.sha256(b"").digest(), np.uint8)
_GIT_OF_NOTHING: Final = np.frombuffer(
    hashlib.sha1(b"blob 0\0", usedforsecurity=False).digest(), np.uint8
)


def check_empty_files(recipe: Recipe) -> None:
    """Refuse a recipe that gives a file of no bytes the digest of some.

    Raises:
        IntegrityError: rules 6.7.1 and 6.7.2.
    """
    empty = np.flatnonzero((recipe.sizes == 0) & (recipe.modes != Mode.DIRECTORY))
    for first, last in windows(0, len(empty)):
        rows = empty[first:last]
        git_sha1 = recipe.git_sha1[rows]
        for wrong, rule in (
            (recipe.sha256[rows] != _SHA256_OF_NOTHING, "6.7.1"),
            (
                git_sha1.any(axis=1, keepdims=True) & (git_sha1 != _GIT_OF_NOTHING),
                "6.7.2",
            ),
        ):
            found = np.flatnonzero(wrong.any(axis=1))
            if len(found):
                path = recipe.path(int(rows[found[0]]))
                raise IntegrityError(
                    f"{path}: an empty file with the digest of another", rule=rule
                )
