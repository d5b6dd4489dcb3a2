"""One thread's way through a batch: read, hash, leave out, encode, check, write.

Four turnstiles keep the batches in input order where order matters, so that the
same input and the same library versions give the same volumes byte for byte:
the source is read, files are hashed, known chunks are left out and offsets are
handed out in turns; everything between is done side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from blake3 import blake3

from bundle.codec.codec import Decoder, Encoder
from bundle.codec.encoding import Encoding
from bundle.errors import BundleError, SourceError
from bundle.flow.pages import pages
from bundle.flow.turnstile import Turnstile
from bundle.format.chunkset import ChunkSet
from bundle.format.volume import frame_of
from bundle.limits import MAX_FRAME_CHUNKS, MAX_FRAME_PLAIN, MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from bundle.codec.encoding import Kind
    from bundle.format.volume import FrameHeader
    from bundle.medium.volumes import Volumes
    from bundle.packing.loader import Loader, Piece
    from bundle.progress import Reporter

BATCH: Final = MAX_FRAME_PLAIN
"""Bytes of one worker's buffer; a frame never crosses batches."""

PLANES_FRAME: Final = MIB
"""Plain bytes of a frame of planes: more gains nothing and leaves the cache."""


@dataclass(slots=True)
class Shared:
    """What the workers of one pack share; each field is touched in turns only.

    ``left_out`` says for each id whether the far side has the chunk already.
    """

    loader: Loader
    volumes: Volumes | None
    reporter: Reporter
    left_out: Callable[[NDArray[np.uint8]], NDArray[np.bool_]]
    known: ChunkSet = field(default_factory=ChunkSet)
    new_bytes: dict[int, int] = field(default_factory=dict)
    new_chunks: int = 0
    reading: Turnstile = field(default_factory=Turnstile)
    hashing: Turnstile = field(default_factory=Turnstile)
    choosing: Turnstile = field(default_factory=Turnstile)
    placing: Turnstile = field(default_factory=Turnstile)

    @property
    def turnstiles(self) -> tuple[Turnstile, ...]:
        """Every place where workers wait for one another."""
        return self.reading, self.hashing, self.choosing, self.placing


@dataclass(frozen=True, slots=True)
class Run:
    """New chunks of one kind that go into one frame, compacted in the buffer."""

    start: int
    ids: NDArray[np.uint8]
    lengths: NDArray[np.uint32]
    kind: Kind


class PackWorker:
    """Owns one buffer, one encoder and one decoder for the whole pack."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._buffer = pages(BATCH)
        self._check = np.empty(MAX_FRAME_PLAIN, np.uint8)
        self._same = np.empty(MAX_FRAME_PLAIN, np.bool_)
        self._stored = pages(BATCH)
        self._used = 0
        self._encoder = Encoder()
        self._decoder = Decoder()

    def step(self, ticket: int) -> bool:
        """Take one batch through; false at the end of the input."""
        shared = self._shared
        with shared.reading.turn(ticket):
            pieces = shared.loader.fill(self._buffer)
        if not pieces:
            return False
        with shared.hashing.turn(ticket):
            for piece in pieces:
                self._hash(piece)
        ids = [self._chunk_ids(piece) for piece in pieces]
        with shared.choosing.turn(ticket):
            new = self._choose(pieces, ids)
        frames = [] if shared.volumes is None else self._encode(pieces, ids, new)
        with shared.placing.turn(ticket):
            places = [] if shared.volumes is None else shared.volumes.reserve(frames)
        for place in places:
            place.write()
        shared.reporter.advanced(sum(piece.size for piece in pieces))
        return True

    def _hash(self, piece: Piece) -> None:
        intake = piece.intake
        intake.update(self._buffer[piece.start : piece.start + piece.size])
        if piece.last:
            try:
                intake.conclude()
            except SourceError as error:
                self._shared.loader.forgive(intake, error)

    def _chunk_ids(self, piece: Piece) -> NDArray[np.uint8]:
        ids = bytearray()
        end = piece.start
        for length in piece.lengths.tolist():
            start, end = end, end + length
            ids += blake3(self._buffer[start:end]).digest()
        return np.frombuffer(ids, dtype=np.uint8).reshape(-1, 32)

    def _choose(
        self, pieces: list[Piece], ids: list[NDArray[np.uint8]]
    ) -> NDArray[np.bool_]:
        """Note every chunk with its file; return which of them are new."""
        shared = self._shared
        every = np.concatenate(ids)
        new = shared.known.add_new(every) & ~shared.left_out(every)
        done = 0
        for piece, own in zip(pieces, ids, strict=True):
            piece.intake.runs.append((own, piece.lengths))
            chosen = new[done : done + len(own)]
            done += len(own)
            size = int(piece.lengths[chosen].sum())
            artifact = piece.intake.artifact
            shared.new_bytes[artifact] = shared.new_bytes.get(artifact, 0) + size
        count = int(new.sum())
        shared.new_chunks += count
        shared.reporter.chunks_stored(new=count, reused=len(new) - count)
        return new

    def _encode(
        self,
        pieces: list[Piece],
        ids: list[NDArray[np.uint8]],
        new: NDArray[np.bool_],
    ) -> list[tuple[FrameHeader, memoryview]]:
        self._used = 0
        return [self._frame(run) for run in self._runs(pieces, ids, new)]

    def _runs(
        self,
        pieces: list[Piece],
        ids: list[NDArray[np.uint8]],
        new: NDArray[np.bool_],
    ) -> Iterator[Run]:
        """Gather neighbouring new chunks of one kind, moved together."""
        kinds = [piece.kind for piece in pieces for _ in range(len(piece.lengths))]
        all_ids = np.concatenate(ids)
        lengths = np.concatenate([piece.lengths for piece in pieces])
        starts = np.concatenate(
            [
                piece.start + np.cumsum(piece.lengths, dtype=np.int64) - piece.lengths
                for piece in pieces
            ]
        )
        for rows in _grouped(np.flatnonzero(new).tolist(), kinds, lengths.tolist()):
            start = self._compact(starts[rows], lengths[rows])
            yield Run(start, all_ids[rows], lengths[rows], kinds[rows[0]])

    def _compact(self, starts: NDArray[np.int64], lengths: NDArray[np.uint32]) -> int:
        """Close the gaps between chunks; return where the first of them starts."""
        first = int(starts[0])
        end = first
        cells = np.frombuffer(self._buffer, dtype=np.uint8)
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
            if start != end:
                cells[end : end + length] = cells[start : start + length]
            end += length
        return first

    def _frame(self, run: Run) -> tuple[FrameHeader, memoryview]:
        """Encode a run, decode it again and compare (rule 10.1.7)."""
        size = int(run.lengths.sum())
        plain = self._buffer[run.start : run.start + size]
        out = self._stored[self._used : self._used + size]
        encoded = self._encoder.encode(plain, run.kind, out)
        payload = encoded.payload
        coding = (encoded.encoding, encoded.width, encoded.rotate)
        if encoded.encoding is not Encoding.RAW:
            self._used += len(payload)
            self._compare(coding, payload, plain)
        return frame_of(coding, run.ids, run.lengths, payload), payload

    def _compare(
        self, coding: tuple[int, int, int], payload: memoryview, plain: memoryview
    ) -> None:
        """Decode what was encoded, and refuse to go on with anything else."""
        check, same = self._check[: len(plain)], self._same[: len(plain)]
        self._decoder.decode(*coding, 0, payload, len(plain), check.data)
        if not np.equal(check, np.frombuffer(plain, np.uint8), out=same).all():
            raise BundleError(
                "a frame did not decode to what was encoded",
                advice="this machine's memory or a library is faulty: "
                "pack on another machine",
            )


def _grouped(
    chosen: list[int], kinds: list[Kind], lengths: list[int]
) -> Iterator[list[int]]:
    """Yield rows that go into one frame together: neighbours of one kind."""
    rows: list[int] = []
    size = 0
    for row in chosen:
        room = PLANES_FRAME if kinds[row].encoding is Encoding.PLANES else BATCH
        if rows and (
            kinds[row] != kinds[rows[0]]
            or size + lengths[row] > room
            or len(rows) == MAX_FRAME_CHUNKS
        ):
            yield rows
            rows, size = [], 0
        rows.append(row)
        size += lengths[row]
    if rows:
        yield rows
