"""What every target promises.

A target answers three questions and does one thing. It says which kinds it
takes, which files of a recipe it lacks, and how much room there is; and it makes
verified files appear under their names. The order of a run:

1. ``missing`` for every artifact, then ``require_space`` for all targets. Both
   only read: a run that is refused up to here leaves the target as it was.
2. ``begin``, which clears what a killed run left. ``staging`` is made when it is
   first asked for, so that a run that finds everything in place writes nothing.
3. For each artifact, put the missing content into ``staging``, verified and
   flushed, and call ``publish``, even when nothing is missing: names may be.
4. ``finish``, or ``abandon`` when anything failed.

All of it happens inside ``async with target``: a target that is somewhere else
connects there.

``publish`` flushes and renames in an order in which every prefix of it leaves
the target loadable (spec chapter 30): a reader sees the old state or the new
one, whenever the power goes.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from bundle.progress import Reporter
from bundle.store.base import Identity
from bundle.store.chunk_map import Placed
from bundle.store.inplace import InPlaceStore
from bundle.target.folder import nearest
from bundle.target.ledger import Ledger
from bundle.target.room import Room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.store.inplace import PlacedFiles
    from bundle.target.ledger import Applied
    from bundle.target.retention import Pruned
    from bundle.target.workspace import Workspace

    Staged = Callable[[int], Path | None]


@dataclass(frozen=True, slots=True)
class Published:
    """What ``publish`` did with the files of one recipe."""

    written_files: int
    """Files that were not there, or not like this."""

    kept_files: int
    """Files that were there already; nothing was written for them."""

    written_bytes: int
    """Bytes of content that were moved or copied into place."""

    left_out: tuple[str, ...] = ()
    """Paths in the recipe that this target does not publish, on purpose."""

    def __add__(self, other: Published) -> Published:
        """Return what two publications did together."""
        return Published(
            self.written_files + other.written_files,
            self.kept_files + other.kept_files,
            self.written_bytes + other.written_bytes,
            self.left_out + other.left_out,
        )


@dataclass(slots=True)
class Transfer:
    """What became of the bytes of the files that belong at a remote target.

    ``sent`` bytes went over the network, ``copied`` ones were put together there
    out of what was there already, and of the ``skipped`` ones nothing was done.
    """

    sent: int = 0
    copied: int = 0
    skipped: int = 0


class Target(ABC):
    """A place that artifacts are unpacked to.

    ``reporter`` is told how publishing goes on where that takes a while. ``transfer``
    is what a remote target that counts says of its traffic. ``keep`` is the number of
    releases of each stream that ``finish`` keeps, None to remove nothing, and
    ``pruned`` what it removed.
    """

    remote: ClassVar[bool] = False
    """Whether what is published goes over a network, and is read back over it."""

    isolates: ClassVar[bool] = False
    """Whether an artifact that ``publish`` refuses leaves the others unharmed."""

    prunes: ClassVar[bool] = False
    """Whether it can remove what left a stream."""

    def __init__(self, location: str, workspace: Workspace) -> None:
        self.location = location
        self.keep: int | None = None
        self.pruned: Pruned | None = None
        self.ledger = Ledger(workspace)
        self.reporter = Reporter()
        self.transfer: Transfer | None = None
        self._workspace = workspace

    async def __aenter__(self) -> Self:
        """Connect to where the target is; a directory is here already.

        Raises:
            StoreError: it does not answer, and a retry may help.
            TargetError: it does not let us in.
        """
        return self

    async def __aexit__(self, *_: object) -> None:  # noqa: B027 - most hold nothing
        """Let go of what ``async with`` took."""

    @abstractmethod
    def takes(self, kind: str) -> bool:
        """Return whether artifacts of this kind can be published here."""

    @property
    def staging(self) -> Path:
        """The directory for files on their way.

        After ``begin`` it is made when it is first asked for; it lasts to
        ``finish`` and belongs to this run alone.

        Raises:
            TargetError: the target cannot be written.
        """
        return self._workspace.files

    def open_staged(self, place: Path, flags: int) -> int:
        """Return a descriptor of ``place``, a file in ``staging``.

        Raises:
            OSError: as ``os.open``.
        """
        return self._workspace.open_staged(place, flags)

    @abstractmethod
    async def missing(self, artifact: Artifact, recipe: Recipe) -> list[int]:
        """Return the indices of the files whose content is not here yet.

        Content that is here counts only after it was hashed again, or while it
        is the very file (size, time, inode) that was recorded when it was
        published. Empty files and directories are never missing. Reads only.

        Raises:
            TargetError: the artifact cannot be published here at all.
        """

    @abstractmethod
    def holds(self, artifact: Artifact) -> bool:
        """Return whether this very artifact was published here and is still here.

        For an artifact whose recipe is not at hand. Every file that was recorded
        has to be the one that was published (size, time, inode). Reads only.

        Raises:
            TargetError: a link is planted where the artifact belongs.
        """

    def doubt(self) -> None:
        """Forget by what looks files are known: ``missing`` hashes all of them again.

        For whoever suspects that a file was changed and made to look as before.
        """
        if self._workspace.root.is_dir():
            self._workspace.prune("records", ())

    async def begin(self) -> None:
        """Make the directory for ``staging`` and clear what killed runs left there.

        Raises:
            TargetError: the directory cannot be made.
        """
        await asyncio.to_thread(self._workspace.begin)

    @abstractmethod
    async def publish(
        self, artifact: Artifact, recipe: Recipe, staged: Staged
    ) -> Published:
        """Make the artifact's files appear, whole, under their names.

        ``staged(i)`` is the path below ``staging`` of the verified and flushed
        content of file ``i``, or None where it was not missing. Files with
        equal content may have one path: it is moved once and copied after that.

        Raises:
            TargetError: something is in the way; what was published before
                still loads, and the same call may be made again.
        """

    async def finish(self, release: str) -> None:
        """Note the digest of the release that is here now and drop ``staging``.

        The ledger has the release already. With ``keep``, what no newest release
        has is removed, and ``pruned`` says how that went.

        Raises:
            TargetError: the note could not be written, or the system does not let
                us remove something; everything is published.
        """
        if self.keep is not None and self.prunes:
            self.pruned = await self._retain(self.keep)
        await asyncio.to_thread(self._workspace.finish, release)

    async def _retain(self, keep: int) -> Pruned:
        """Remove what is in none of the ``keep`` newest releases of each stream.

        Raises:
            TargetError: the system does not let us.
        """
        raise NotImplementedError(f"{type(self).__name__} keeps {keep} and all else")

    async def abandon(self) -> None:
        """Drop ``staging``; safe at any time and more than once."""
        await asyncio.to_thread(self._workspace.end)

    @abstractmethod
    def needed_sizes(self, recipe: Recipe, missing: Sequence[int]) -> Iterable[int]:
        """Return the sizes of the files to be written for ``missing``."""

    @abstractmethod
    def places(self, kind: str, name: str, recipe: Recipe) -> Iterable[tuple[int, str]]:
        """Return where ``files`` finds the files of a published artifact.

        Pairs of the index of a file and a path; a file may have several. Looks
        at nothing: what is there now is for the caller to find out.
        """

    @abstractmethod
    def files(self) -> PlacedFiles:
        """Return how what was published is read again, by the paths of ``places``."""

    def store(self) -> InPlaceStore:
        """Return what was published here as a store, as it is now."""
        applied = self.ledger.releases()
        return InPlaceStore(
            self.ledger.identity() or Identity("0" * 32, 1),
            tuple(one.committed(self.takes) for one in applied),
            lambda: self._placed(applied),
            self.files(),
        )

    def _placed(self, applied: Sequence[Applied]) -> Iterator[Placed]:
        """Yield what was published here, the newest first, each once."""
        given = (one for release in reversed(applied) for one in release.artifacts)
        for one in dict.fromkeys(given):
            recipe = self.ledger.recipe(one.recipe) if self.takes(one.kind) else None
            if recipe is not None:
                places = self.places(one.kind, one.name, recipe)
                yield Placed(one.recipe, recipe, places)

    def room(self) -> Room:
        """Return what is free for ``staging``.

        Raises:
            TargetError: neither its directory nor the one above it exists.
        """
        return Room.at(self.location, nearest(self._workspace.root))

    def free_bytes(self) -> int:
        """Return the bytes that ``staging`` can still take.

        Raises:
            TargetError: neither its directory nor the one above it exists.
        """
        return self.room().bytes
