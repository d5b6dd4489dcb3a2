"""Chunks out of a store into the volumes of a bundle, in the order of their use.

Whatever is read is hashed. A frame all of whose chunks travel keeps its bytes;
of any other, the chunks that do are encoded again, decoded and compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bundle.codec.codec import Decoder, Encoder
from bundle.codec.encoding import UNKNOWN, Encoding, elements
from bundle.errors import (
    BundleError,
    FormatError,
    IntegrityError,
    MissingError,
    NotFoundError,
)
from bundle.flow.turnstile import Halted
from bundle.format.chunkset import ChunkSet
from bundle.format.columns import windows
from bundle.format.volume import frame_of
from bundle.store.pack import check_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from bundle.codec.encoding import Kind
    from bundle.format.recipe import Recipe
    from bundle.format.volume import FrameHeader
    from bundle.medium.volumes import Volumes
    from bundle.progress import Reporter
    from bundle.store.vault import Vault

    Frame = tuple[FrameHeader, bytes | memoryview]


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """What of some recipes has to travel: ``chunks``, and plain bytes for each."""

    recipes: Sequence[Recipe]
    chunks: ChunkSet
    new_bytes: tuple[int, ...]

    @classmethod
    def of(
        cls,
        recipes: Sequence[Recipe],
        left_out: Callable[[NDArray[np.uint8]], NDArray[np.bool_]],
    ) -> Share:
        """Return what of ``recipes`` travels; a chunk counts where it first comes."""
        chunks, sizes = ChunkSet(), []
        for recipe in recipes:
            size = 0
            for first, last in windows(0, recipe.chunks):
                rows = np.flatnonzero(~left_out(recipe.chunk_ids[first:last]))
                new = chunks.add_new(recipe.chunk_ids[first:last][rows])
                lengths = recipe.chunk_lengths[first:last][rows]
                size += int(lengths[new].sum(dtype=np.int64))
            sizes.append(size)
        return cls(recipes, chunks, tuple(sizes))


@dataclass(slots=True)
class Forwarding:
    """One share on its way; for one thread."""

    vault: Vault
    share: Share
    volumes: Volumes
    reporter: Reporter
    _sent: ChunkSet = field(default_factory=ChunkSet)
    _encoder: Encoder = field(default_factory=Encoder)
    _decoder: Decoder = field(default_factory=Decoder)
    _stopped: bool = False

    def stop(self) -> None:
        """Make ``run``, on its thread, raise before the next frame."""
        self._stopped = True

    def run(self) -> None:
        """Put every chunk of the share into the volumes, once.

        Raises:
            Halted: it was stopped.
            MissingError: a chunk has left the store.
            FormatError, IntegrityError: what the store has of one is damaged.
            StoreError: the store cannot be read.
            TargetError: the medium is full or refuses.
        """
        for recipe in self.share.recipes:
            for first, last in windows(0, recipe.chunks):
                self._send(recipe.chunk_ids[first:last])

    def _send(self, ids: NDArray[np.uint8]) -> None:
        try:
            self._send_frames(self._due(ids))
        except NotFoundError:
            # A collection may have moved it to another pack since.
            self.vault.reload()
            try:
                self._send_frames(self._due(ids))
            except NotFoundError as error:
                raise MissingError(
                    f"{error.args[0]} any more",
                    advice="add a bundle of this release to the store again",
                ) from error

    def _due(self, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return ids[self.share.chunks.holds(ids) & ~self._sent.holds(ids)]

    def _send_frames(self, ids: NDArray[np.uint8]) -> None:
        for pack, offset in self.vault.frames(ids).tolist():
            if self._stopped:
                raise Halted
            try:
                self._send_frame(pack, offset)
            except (FormatError, IntegrityError) as error:
                error.advice = (
                    "the store is damaged: 'bundle store check --rebuild' says what "
                    "is lost, adding a bundle of this release again mends it"
                )
                raise

    def _send_frame(self, pack: int, offset: int) -> None:
        header, payload = self.vault.packs.stored(pack, offset)
        coding = (header.encoding, header.width, header.rotate, header.flags)
        view = memoryview(payload)
        plain = bytes(self._decoder.decode(*coding, view, header.plain))
        check_chunks(header, plain)
        due = self.share.chunks.holds(header.ids) & ~self._sent.holds(header.ids)
        frame: Frame = header, payload
        if not due.all():
            frame = self._again(header, plain, due)
        for place in self.volumes.reserve([frame]):
            place.write()
        self._sent.add_new(header.ids[due])
        self.reporter.chunks_stored(new=int(due.sum()), reused=0)
        self.reporter.advanced(int(header.lengths[due].sum(dtype=np.int64)))

    def _again(
        self, header: FrameHeader, plain: bytes, due: NDArray[np.bool_]
    ) -> Frame:
        """Return a frame of those chunks alone that are due (rule 10.1.7)."""
        ends = np.cumsum(header.lengths, dtype=np.int64)
        starts = ends - header.lengths
        rows = np.flatnonzero(due)
        data = b"".join(plain[starts[row] : ends[row]] for row in rows.tolist())
        encoded = self._encoder.encode(memoryview(data), _kind(header))
        payload = bytes(encoded.payload)
        coding = (encoded.encoding, encoded.width, encoded.rotate)
        decoded = self._decoder.decode(*coding, 0, memoryview(payload), len(data))
        if bytes(decoded) != data:
            raise BundleError(
                "a frame did not decode to what was encoded",
                advice="this machine's memory or a library is faulty: "
                "send it from another machine",
            )
        return frame_of(
            coding, header.ids[rows], header.lengths[rows], payload
        ), payload


def _kind(header: FrameHeader) -> Kind:
    if header.encoding == Encoding.PLANES:
        return elements(header.width, header.rotate)
    return UNKNOWN
