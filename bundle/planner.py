"""What a set would bring that the last release does not hold, without packing it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.errors import MissingError, SourceError, UsageError
from bundle.packing.history import recall
from bundle.source.listing import unreadable
from bundle.state.sender import streams_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact, Release
    from bundle.source.base import Resolved, Source, SourceFile
    from bundle.state.sender import SenderStream

NEW: Final = "new"
CHANGED: Final = "changed"
SAME: Final = "same"
UNLISTED: Final = "unlisted"


@dataclass(frozen=True, slots=True)
class Upstream:
    """One artifact of a set against the last release.

    ``state`` is one of new, changed, same and, for what the release holds and the
    set does not name, unlisted. Revisions are None on the side that lacks it.
    """

    kind: str
    name: str
    state: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A set against release ``seq`` of a stream; None where nothing was packed yet."""

    seq: int | None
    artifacts: tuple[Upstream, ...]

    @property
    def fresh(self) -> int:
        """How many artifacts a pack would bring or change."""
        return sum(one.state in (NEW, CHANGED) for one in self.artifacts)


async def compare(sources: Iterable[Source], state: Path, stream: str) -> Comparison:
    """Return what ``sources`` have that the stream's last release has not.

    ``state`` is the sender's. Nothing is downloaded but what says which revision
    is current; directories are hashed.

    Raises:
        SourceError: something is missing, or cannot be read.
        StoreError: a network was needed and did not work.
        UsageError: several roots have a stream of this name here.
    """
    known = await asyncio.to_thread(_last, state, stream)
    release = known[1] if known else None
    before = {
        (one.kind, one.name): one for one in (release.artifacts if release else ())
    }
    found: dict[tuple[str, str], Upstream] = {}
    for source in sources:
        for one in await source.resolve():
            old = before.get((one.kind, one.name))
            recipe = known[0].shelf.get(old.recipe.digest) if known and old else None
            state_of = await asyncio.to_thread(_state, one, old, recipe)
            revision = None if old is None else old.revision
            found[one.kind, one.name] = Upstream(
                one.kind, one.name, state_of, revision, one.revision
            )
    for key, old in before.items():
        found.setdefault(key, Upstream(*key, UNLISTED, old.revision, None))
    return Comparison(
        release.seq if release else None, tuple(found[key] for key in sorted(found))
    )


def _last(state: Path, name: str) -> tuple[SenderStream, Release] | None:
    """Return the stream of this name and its last release, None before the first."""
    streams = [one for one in streams_in(state) if one.name == name]
    if len(streams) > 1:
        raise UsageError(
            f"{len(streams)} roots have a stream {name} here",
            advice="choose the state of one with --state",
        )
    for stream in streams:
        numbers = stream.finished()
        past = recall(stream, numbers[-1]) if numbers else None
        if past is not None:
            return stream, past.release
    return None


def _state(one: Resolved, old: Artifact | None, recipe: Recipe | None) -> str:
    """Return what became of one artifact; by its files where it has no revision."""
    if old is None:
        return NEW
    if one.revision:
        return SAME if one.revision == old.revision else CHANGED
    if recipe is None:
        raise MissingError(
            f"{one.kind} {one.name}: its recipe is not kept here",
            advice="pack it again; the next check can compare",
        )
    return SAME if _has_files(one.files, recipe) else CHANGED


def _has_files(files: tuple[SourceFile, ...], recipe: Recipe) -> bool:
    """Return whether these files are those of a recipe, by size and SHA-256."""
    numbers = {path: number for number, path in enumerate(recipe.paths())}
    listed = {file.path: file for file in files}
    if not listed.keys() <= numbers.keys():
        return False
    absent = numbers.keys() - listed.keys()
    if any(bytes(recipe.sha256[numbers[path]]) != bytes(32) for path in absent):
        return False
    return all(
        file.size == recipe.sizes[numbers[path]]
        and _sha256(file) == bytes(recipe.sha256[numbers[path]])
        for path, file in listed.items()
    )


def _sha256(file: SourceFile) -> bytes:
    if isinstance(file.content, bytes):
        return hashlib.sha256(file.content).digest()
    if not isinstance(file.content, Path):
        raise SourceError(f"{file.path}: a part of a file has no revision")
    try:
        with file.content.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise unreadable(file.path, error) from error
