"""Fills one worker's buffer after another with the next bytes of the input.

Called in turns, so the input is read from its first byte to its last, one
device, one reader. Every piece put into a buffer ends at a chunk boundary; what
is left of a chunk is read again at the start of the next buffer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bundle.cut.plan import Rule, cut_region, plan
from bundle.errors import SourceError
from bundle.limits import MAX_CHUNK
from bundle.packing.intake import LITERAL, Intake, Opened
from bundle.source.base import OCI_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from bundle.codec.encoding import Kind
    from bundle.cut.plan import Region
    from bundle.progress import Reporter
    from bundle.source.base import SourceArtifact


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole chunks of one file at ``start`` in a worker's buffer."""

    intake: Intake
    start: int
    lengths: NDArray[np.uint32]
    kind: Kind
    last: bool

    @property
    def size(self) -> int:
        """Bytes of all its chunks."""
        return int(self.lengths.sum())


class Loader:
    """Walks every file of every artifact in order; ``intakes`` grows as it goes."""

    def __init__(
        self,
        artifacts: Sequence[SourceArtifact],
        reporter: Reporter,
        *,
        keep_going: bool,
    ) -> None:
        self.intakes: list[Intake] = []
        self._artifacts = artifacts
        self._reporter = reporter
        self._keep_going = keep_going
        self._buffer = memoryview(b"")
        self._used = 0
        self._pieces: list[Piece] = []
        self._blobs: dict[tuple[str, int], Intake] = {}
        self._walk = self._files()

    def fill(self, buffer: memoryview) -> list[Piece]:
        """Put the next pieces into ``buffer``; an empty list is the end of the input.

        Raises:
            SourceError: a file cannot be read or has changed (unless keep going).
        """
        self._buffer, self._used, self._pieces = buffer, 0, []
        next(self._walk, None)
        return self._pieces

    def forgive(self, intake: Intake, error: SourceError) -> None:
        """Leave the file out and note why, or raise ``error`` again."""
        if not self._keep_going:
            raise error
        intake.problem = str(error)

    def _files(self) -> Iterator[None]:
        """Yield each time the buffer is full, and once more at the end."""
        for number, artifact in enumerate(self._artifacts):
            for file in artifact.files:
                intake = Intake(number, file)
                self.intakes.append(intake)
                self._reporter.file_started(f"{artifact.name}/{file.path}", file.size)
                if artifact.kind in OCI_KINDS and self._is_known(intake):
                    self._reporter.advanced(file.size)
                    continue
                try:
                    yield from self._file(intake)
                except SourceError as error:
                    self.forgive(intake, error)
        yield

    def _is_known(self, intake: Intake) -> bool:
        """Return whether a blob that another image needs too was read before.

        It has the same name, which is its digest, and is held to that.
        """
        file = intake.file
        if file.sha256 is None and file.sha512 is None:
            return False
        first = self._blobs.setdefault((file.path, file.size), intake)
        if first is intake:
            return False
        intake.same = first
        return True

    def _file(self, intake: Intake) -> Iterator[None]:
        opened = Opened(intake.file)
        try:
            if intake.file.size <= LITERAL:
                intake.literal = opened.read(0, intake.file.size)
                intake.update(intake.literal)
                intake.conclude()
                self._reporter.advanced(len(intake.literal))
            else:
                yield from self._regions(intake, opened)
            opened.check_unchanged()
        finally:
            opened.close()

    def _regions(self, intake: Intake, opened: Opened) -> Iterator[None]:
        size = intake.file.size
        for region in plan(opened.read, size, intake.file.path).regions():
            start = region.start
            while start < region.end:
                lengths = self._cut(opened, start, region)
                if not len(lengths):
                    yield
                    continue
                taken = int(lengths.sum())
                start += taken
                piece = Piece(intake, self._used, lengths, region.kind, start == size)
                self._pieces.append(piece)
                self._used += taken

    def _cut(self, opened: Opened, start: int, region: Region) -> NDArray[np.uint32]:
        """Read as much of the region as there is room for; return its whole chunks."""
        room = len(self._buffer) - self._used
        left = region.end - start
        if room < left:
            if region.rule is Rule.ATOM:
                return np.zeros(0, np.uint32)
            if region.rule is Rule.FIXED:
                room -= room % MAX_CHUNK
        size = min(room, left)
        view = self._buffer[self._used : self._used + size]
        opened.read_into(view, start)
        return cut_region(region.rule, view, final=size == left).astype(np.uint32)
