"""Releases of a store in a bucket, and the pointers that make them count (§51.6).

A pointer is an object of its own name for each release and generation: it is put
once and never over another. So is everything that it leads to.
"""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.digest import Digest
from bundle.errors import FormatError, NotFoundError
from bundle.flow.together import together
from bundle.limits import MAX_ENVELOPE
from bundle.store.papers import limit_of
from bundle.store.pointers import Said
from bundle.store.s3_names import (
    COMMITS,
    RELEASES,
    Commit,
    Content,
    Shelf,
    papers_prefix,
    parse_commit,
)
from bundle.wire import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundle.store.base import Committed
    from bundle.store.s3_state import S3State

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Pointer:
    """One pointer; ``release`` comes without its envelope."""

    commit: Commit
    release: Committed


async def newest_of(state: S3State, shelf: Shelf, digest: str) -> Content | None:
    """Return the newest object of a shelf with this digest, or None.

    What leaves counts only where nothing else has the digest.

    Raises:
        TargetError, TransientError: the bucket cannot be read.
    """
    raw = Digest.parse(digest).raw
    listed = await state.place.list(f"{shelf.prefix}{raw.hex()}")
    found = filter(None, (shelf.parse(one.key) for one in listed))
    return max(
        found,
        key=lambda one: (shelf.key(one) not in state.leaving, one.generation),
        default=None,
    )


async def put_content(state: S3State, shelf: Shelf, digest: str, data: bytes) -> None:
    """Put an object, unless it is there and stays.

    Raises:
        TargetError, TransientError: the server does not take it.
    """
    there = await newest_of(state, shelf, digest)
    if there is None or shelf.key(there) in state.leaving:
        content = Content(Digest.parse(digest).raw, await state.count())
        await state.place.put(shelf.key(content), data)


class S3Pointers:
    """The pointers of one store."""

    def __init__(self, state: S3State) -> None:
        self._state = state

    async def all(self) -> list[Pointer]:
        """Return every pointer.

        Raises:
            FormatError: one is damaged (rule 51.6.2).
            TargetError, TransientError: the bucket cannot be read.
        """
        listed = await self._state.place.list(COMMITS)
        commits = filter(None, (parse_commit(one.key) for one in listed))
        pointers: list[Pointer] = []

        async def load(commit: Commit) -> None:
            try:
                pointers.append(await self._load(commit))
            except NotFoundError:
                # A collection took it since it was listed.
                return

        await together(load, list(commits), _AT_ONCE)
        return sorted(pointers, key=lambda one: one.commit)

    async def put(self, release: Committed) -> Commit:
        """Put what came with a release, and last the pointer that makes it count.

        Raises:
            TargetError, TransientError: the server does not take it.
        """
        state = self._state
        if release.envelope:
            await put_content(state, RELEASES, release.digest, release.envelope)
        await self.put_papers(release)
        raw = Digest.parse(release.digest).raw
        commit = Commit(release.seq, Content(raw, await state.count()))
        await state.place.put(commit.key, write_json(Said.of(release)))
        return commit

    async def put_papers(self, release: Committed) -> None:
        """Put what came beside a release, where it is not there already.

        Raises:
            ValueError: a name that no paper has.
            TargetError, TransientError: the server does not take it.
        """
        if not release.papers:
            return
        place = self._state.place
        prefix = papers_prefix(Digest.parse(release.digest).raw)
        there = {one.key for one in await place.list(prefix)}
        for name, data in release.papers.items():
            if limit_of(name) is None:
                raise ValueError(f"{name!r} is not kept with a release")
            if prefix + name not in there:
                await place.put(prefix + name, data)

    async def papers(self, digest: str) -> dict[str, bytes]:
        """Return what came with a release, by name; nobody has verified it since.

        Raises:
            TargetError, TransientError: the bucket cannot be read.
        """
        prefix = papers_prefix(Digest.parse(digest).raw)
        found = {}
        for one in await self._state.place.list(prefix):
            name = one.key.removeprefix(prefix)
            limit = limit_of(name)
            if limit is not None:
                found[name] = await self._state.place.get(one.key, limit)
        return found

    async def with_envelope(self, release: Committed) -> Committed:
        """Return a release with its envelope, where the store has that.

        Raises:
            TargetError, TransientError: the bucket cannot be read.
        """
        found = await newest_of(self._state, RELEASES, release.digest)
        if found is None:
            return release
        envelope = await self._state.small(RELEASES.key(found), MAX_ENVELOPE)
        return dataclasses.replace(release, envelope=envelope)

    async def remove(self, commits: Iterable[Commit]) -> None:
        """Forget releases.

        Raises:
            TargetError, TransientError: the server does not do it.
        """
        for commit in commits:
            await self._state.place.delete(commit.key)
            await asyncio.to_thread(self._state.index.drop, commit.key)

    async def _load(self, commit: Commit) -> Pointer:
        data = await self._state.small(commit.key, MAX_ENVELOPE)
        said = read_json(data, Said, limit=MAX_ENVELOPE, rule="51.6.2")
        if said.format != 1 or (said.release, said.seq) != (
            commit.release.text,
            commit.seq,
        ):
            raise FormatError(
                f"{self._state.place.text(commit.key)}: not the release it is called",
                rule="51.6.2",
            )
        return Pointer(commit, said.committed())
