"""Checking a local store: every frame decoded, every chunk hashed (spec §50.7).

A check makes a second index from the packs themselves, as if there were none,
and looks for everything that a release needs in that one. With ``rebuild`` it
takes the place of the first.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.codec.codec import Decoder
from bundle.digest import digest_of
from bundle.durable import make_directory
from bundle.errors import BundleError
from bundle.format.columns import windows
from bundle.format.recipe import Recipe, SegmentKind
from bundle.limits import MAX_ENVELOPE
from bundle.progress import Reporter
from bundle.store.index import Index
from bundle.store.pack import Pack
from bundle.store.segment import ENTRY, join, records_of, split
from bundle.trust.envelope import parse as parse_envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.format.frame import FrameHeader
    from bundle.store.base import Committed
    from bundle.store.local import LocalStore
    from bundle.store.pack import Scanned
    from bundle.store.pointers import Pointer
    from bundle.store.segment import Table

_NAMED: Final = 20
"""Files that are named for each recipe that lost some."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What a release lacks of one of its recipes.

    ``recipe`` is its digest text. Where the recipe itself is gone, ``files`` is
    empty and ``chunks`` 0. ``files`` are the first paths that cannot be read whole
    any more, ``count`` says how many there are.
    """

    release: Committed
    recipe: str
    chunks: int
    count: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what is wrong with it, one line each."""

    packs: int
    chunks: int
    bytes: int
    recipes: int
    releases: int
    problems: tuple[str, ...]
    lost: tuple[Lost, ...]


def check(
    store: LocalStore,
    *,
    quick: bool = False,
    rebuild: bool = False,
    reporter: Reporter | None = None,
) -> Checked:
    """Check everything in a local store; ``quick`` looks at structure alone.

    With ``rebuild`` the index holds what was found good, and releases that are
    not whole do not count until they are added again.

    Raises:
        StoreError: the store cannot be read.
        TransientError: ``rebuild``, and somebody else is changing the store.
        TargetError: there is no room for the new index.
    """
    if rebuild:
        store.place.begin_alone()
    try:
        store.vault.reload()
        with _room(store, rebuild=rebuild) as directory:
            run = _Check(store, directory, reporter or Reporter())
            report = run.check(quick=quick)
            if rebuild:
                run.replace(report)
        return report
    finally:
        if rebuild:
            store.vault.reload()
            store.place.end()


@contextmanager
def _room(store: LocalStore, *, rebuild: bool) -> Iterator[Path]:
    """Give a directory for the new index, on the store's file system if it stays."""
    if rebuild:
        path = store.place.temporary()
        make_directory(path)
        yield path
    else:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)


class _Check:
    """One check; ``index`` is what the packs say."""

    def __init__(self, store: LocalStore, directory: Path, reporter: Reporter) -> None:
        self.store = store
        self.index = Index(directory)
        self.index.set_live(store.vault.packs.numbers())
        self.problems: list[str] = []
        self._reporter = reporter
        self._decoder = Decoder()

    def check(self, *, quick: bool) -> Checked:
        packs = self.store.vault.packs
        numbers = packs.numbers().tolist()
        self._reporter.started(
            "store check", sum(packs.path(one).stat().st_size for one in numbers)
        )
        size = 0
        for number in numbers:
            table = self._pack(number, quick=quick)
            size += int(table["length"].sum(dtype=np.int64))
            # Also where nothing is good: else its own index would be believed.
            self.index.add([number], split(table))
        self._segments()
        recipes = self._recipes()
        pointers = self.store.pointers.all()
        for pointer in pointers:
            self._envelope(pointer)
        lost = tuple(one for pointer in pointers for one in self._lost(pointer))
        self._reporter.finished()
        return Checked(
            packs=len(numbers),
            chunks=sum(len(segment) for segment in self.index.segments),
            bytes=size,
            recipes=recipes,
            releases=len(pointers),
            problems=tuple(self.problems),
            lost=lost,
        )

    def replace(self, report: Checked) -> None:
        """Let what was found take the place of what was said."""
        self.store.place.advance()
        broken = {one.release.digest for one in report.lost}
        for pointer in self.store.pointers.all():
            lost = pointer.release.digest in broken
            if lost != pointer.lost:
                self.store.pointers.mark([pointer], lost=lost)
        make_directory(self.store.place.indexes)
        self.store.vault.index.replace(self.index)

    def _pack(self, number: int, *, quick: bool) -> Table:
        """Return the records of what is good in a pack."""
        name = self.store.vault.packs.path(number).name
        try:
            with Pack(self.store.vault.packs.path(number)) as pack:
                try:
                    index = pack.index()
                except BundleError as error:
                    self.problems.append(f"{name}: {error}")
                else:
                    if quick:
                        self._reporter.advanced(pack.size)
                        return records_of(index, number)
                tables = [
                    records_in(scanned.header, scanned.offset, number)
                    for scanned in self._good(pack, name)
                    if scanned.header is not None
                ]
        except BundleError as error:
            self.problems.append(f"{name}: {error}")
            return np.zeros(0, ENTRY)
        return join(tables)

    def _good(self, pack: Pack, name: str) -> Iterator[Scanned]:
        for scanned in pack.scan(self._decoder):
            if scanned.header is None:
                self.problems.append(
                    f"{name}: the frame at byte {scanned.offset}: {scanned.problem}"
                )
            else:
                self._reporter.advanced(scanned.header.size)
                yield scanned

    def _segments(self) -> None:
        index = self.store.vault.index
        files = len(index.files())
        broken = files - sum(one.mapping is not None for one in index.segments)
        for segment in index.segments:
            try:
                segment.check()
            except BundleError:
                broken += 1
        if broken:
            self.problems.append(
                f"{broken} of {files} index segments are damaged: "
                "'bundle store check --rebuild' makes them again"
            )

    def _recipes(self) -> int:
        """Check every recipe by its name, used or not; return how many there are."""
        directory = self.store.place.recipes
        paths = sorted(directory.iterdir()) if directory.is_dir() else []
        for path in paths:
            if digest_of(path.read_bytes()).raw.hex() != path.stem:
                self.problems.append(f"recipe {path.name}: not what it is called")
        return len(paths)

    def _envelope(self, pointer: Pointer) -> None:
        release = self.store.with_envelope(pointer.release)
        if not release.envelope:
            return
        problem = envelope_problem(release.digest, release.envelope)
        if problem:
            self.problems.append(problem)

    def _lost(self, pointer: Pointer) -> Iterator[Lost]:
        release = self.store.with_envelope(pointer.release)
        for digest in dict.fromkeys(pointer.release.recipes):
            try:
                recipe = Recipe.parse(self.store.load_recipe(digest))
            except BundleError:
                yield Lost(release, digest, 0, 0, ())
                continue
            lost = lost_of(release, digest, recipe, self.index)
            if lost is not None:
                yield lost


def envelope_problem(digest: str, envelope: bytes) -> str:
    """Return what is wrong with the envelope of a release, or an empty text."""
    try:
        payload = parse_envelope(envelope, limit=MAX_ENVELOPE).payload
    except BundleError as error:
        return f"release {digest}: {error}"
    right = str(digest_of(payload)) == digest
    return "" if right else f"release {digest}: not what it is called"


def lost_of(
    release: Committed, digest: str, recipe: Recipe, index: Index
) -> Lost | None:
    """Return what a release lacks of a recipe, by what ``index`` has; None if nothing.

    ``digest`` names the recipe.
    """
    absent = np.zeros(len(recipe.chunk_ids), np.bool_)
    for start, end in windows(0, len(absent)):
        where, _ = index.locate(recipe.chunk_ids[start:end])
        absent[start:end] = where < 0
    if not absent.any():
        return None
    files = [
        recipe.path(file)
        for file in range(recipe.files)
        if any(
            segment.kind is SegmentKind.CHUNKS
            and absent[segment.start : segment.start + segment.count].any()
            for segment in recipe.segments(file)
        )
    ]
    ids = {row.tobytes() for row in recipe.chunk_ids[absent]}
    return Lost(release, digest, len(ids), len(files), tuple(files[:_NAMED]))


def records_in(header: FrameHeader, offset: int, number: int) -> Table:
    """Return the records of the chunks of the frame at ``offset`` of a pack."""
    table = np.zeros(len(header.lengths), ENTRY)
    table["id"] = header.ids
    table["pack"] = number
    table["frame"] = offset
    table["offset"] = np.cumsum(header.lengths, dtype=np.uint32) - header.lengths
    table["length"] = header.lengths
    return table
