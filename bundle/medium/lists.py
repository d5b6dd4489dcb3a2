"""The lists of a bundle, off the medium once and held to what was signed (spec §26)."""

from __future__ import annotations

import mmap
import tempfile
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from bundle.digest import digest_of
from bundle.errors import IntegrityError
from bundle.format import layout
from bundle.format.empty_files import check_empty_files
from bundle.format.recipe import Recipe
from bundle.format.recipes import Recipes
from bundle.limits import MIB, SHARD
from bundle.medium.files import ShardedFile, read_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bundle.format.columns import Bytes
    from bundle.format.descriptor import Descriptor
    from bundle.format.manifest import Manifest
    from bundle.format.release import Release
    from bundle.format.shards import Shards

HELD: Final = 64 * MIB
"""Bytes of recipes.bdr that are kept in memory; more goes to an unlinked file."""


def read_listed(path: Path, descriptor: Descriptor, limit: int) -> bytes:
    """Return a file on a medium that ``descriptor`` describes, whole.

    Raises:
        IntegrityError: it is another.
        MissingError: it is not here.
    """
    data = read_whole(path, limit)
    check_descriptor(descriptor, data, path.name)
    return data


def check_descriptor(descriptor: Descriptor, data: bytes, name: str) -> None:
    """Check the size, then the digest, before anything is parsed (rule 3.2.3).

    Raises:
        IntegrityError: it is not what was signed.
    """
    if len(data) != descriptor.size or str(digest_of(data)) != descriptor.digest:
        raise IntegrityError(
            f"{name} is not the one that was signed",
            rule="3.2.4",
            advice="carry the bundle again",
        )


def read_recipes(
    path: Path, release: Release, manifest: Manifest, shards: Shards
) -> tuple[dict[str, Recipe], Bytes]:
    """Return the recipes that a bundle carries, and the ids that it builds on.

    Raises:
        FormatError, IntegrityError, LimitError: they are not what was signed.
    """
    file = ShardedFile(path / layout.RECIPES, manifest.recipes.size, shards, 0)
    try:
        data, whole, forget = _hold(file)
    finally:
        file.close()
    if whole != manifest.recipes.raw:
        raise IntegrityError("recipes.bdr is not the one that was signed", rule="3.2.4")
    recipes = Recipes.parse(data)
    if str(recipes.contents) != manifest.contents:
        raise IntegrityError("recipes.bdr is of other contents", rule="7.1.7")
    if tuple(str(entry.digest) for entry in recipes.entries) != manifest.carried:
        raise IntegrityError("recipes.bdr carries other recipes", rule="9.2.4")
    manifest.requires.check(recipes.required.tobytes())
    found = {}
    for entry in recipes.entries:
        base = entry.offset

        def release_range(first: int, last: int, base: int = base) -> None:
            forget(base + first, base + last)

        digest = str(entry.digest)
        found[digest] = Recipe.parse(recipes.read(entry), release=release_range)
        check_empty_files(found[digest])
    for artifact in release.artifacts:
        if artifact.recipe.digest in found:
            artifact.check_recipe(found[artifact.recipe.digest], release.budgets)
    return found, recipes.required


def _hold(
    file: ShardedFile,
) -> tuple[memoryview, bytes, Callable[[int, int], None]]:
    """Take a file off the medium, checked; where it is large, out of memory too.

    Returns its bytes, their digest, and what to call with a range of them that
    is not needed in memory any more.
    """
    count = -(-file.size // SHARD)
    whole = blake3()
    if file.size <= HELD:
        held = memoryview(bytearray(count * SHARD))
        for number in range(count):
            shard = held[number * SHARD :]
            whole.update(shard[: file.read_shard(number, shard)])
        data = held[: file.size].toreadonly()
        return data, whole.digest(), lambda _first, _last: None
    window = memoryview(bytearray(SHARD))
    with tempfile.TemporaryFile(prefix="bundle-recipes-") as spool:
        for number in range(count):
            shard = window[: file.read_shard(number, window)]
            whole.update(shard)
            spool.write(shard)
        spool.flush()
        mapped = mmap.mmap(spool.fileno(), file.size, prot=mmap.PROT_READ)

    def forget(first: int, last: int) -> None:
        page = mmap.PAGESIZE
        start, end = -(-first // page) * page, last // page * page
        if start < end:
            mapped.madvise(mmap.MADV_DONTNEED, start, end - start)

    return memoryview(mapped), whole.digest(), forget
