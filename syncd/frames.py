"""Frames that come over a network, into packs of the store.

Each is verified as one on a medium is when it is taken: header, payload, and every
chunk by its id after decoding. What was whole when a connection broke is kept.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from bundle.codec.codec import Decoder
from bundle.errors import FormatError, IntegrityError
from bundle.format.columns import keys_of
from bundle.format.frame import frame_size, parse_frame
from bundle.store.pack_writer import PackWriter

if TYPE_CHECKING:
    import numpy.typing as npt
    from numpy.typing import NDArray

    from bundle.format.frame import FrameHeader
    from bundle.store.local import LocalStore


@dataclass(slots=True)
class Arriving:
    """One body of frames on its way; ``wanted`` are the ids that are lacking."""

    store: LocalStore
    wanted: npt.NDArray[np.bytes_]
    chunks: int = 0
    size: int = 0
    _rest: bytearray = field(default_factory=bytearray)
    _writer: PackWriter | None = None
    _decoder: Decoder = field(default_factory=Decoder)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body, wherever they end.

        Raises:
            FormatError, IntegrityError: a frame is damaged, or nobody wants it.
            TargetError: the store cannot take it.
        """
        with self._lock:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        self._rest += data
        while (whole := frame_size(self._rest)) is not None and whole <= len(
            self._rest
        ):
            frame = bytes(self._rest[:whole])
            del self._rest[:whole]
            header = parse_frame(frame)
            payload = memoryview(frame)[header.table_end :]
            if self._is_wanted(header):
                self._check(header, payload)
                self._keep(header, payload)

    def finish(self) -> None:
        """Make what came into a pack; what is left of a frame is dropped.

        Raises:
            TargetError: the store cannot take it.
        """
        with self._lock:
            self._finish()

    def _finish(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.finish()
            self.store.vault.take(writer.path)

    def _is_wanted(self, header: FrameHeader) -> bool:
        """Say whether a frame has something that lacks; refuse a strange one.

        One that came by another connection meanwhile is no mistake.
        """
        if np.isin(wanted_keys(header.ids), self.wanted).any():
            return True
        if not self.store.vault.holds(np.ascontiguousarray(header.ids)).all():
            raise FormatError("a frame that nobody asked for", rule="95.3.3")
        return False

    def _check(self, header: FrameHeader, payload: memoryview) -> None:
        header.check_payload(payload)
        plain = self._decoder.decode(
            header.encoding,
            header.width,
            header.rotate,
            header.flags,
            payload,
            header.plain,
        )
        start = 0
        for row, length in zip(header.ids, header.lengths.tolist(), strict=True):
            chunk = memoryview(plain)[start : start + length]
            if blake3(chunk).digest() != row.tobytes():
                raise IntegrityError(
                    f"chunk {row.tobytes().hex()} is not what its id says",
                    rule="95.3.4",
                )
            start += length

    def _keep(self, header: FrameHeader, payload: memoryview) -> None:
        if self._writer is not None and not self._writer.takes(header):
            self._finish()
        if self._writer is None:
            self.store.vault.begin()
            self._writer = PackWriter(self.store.place.temporary())
        self._writer.add(header, payload)
        self.chunks += len(header.lengths)
        self.size += header.size


def wanted_keys(rows: NDArray[np.uint8]) -> npt.NDArray[np.bytes_]:
    """Return ids (n, 32) as values that compare."""
    return keys_of(np.ascontiguousarray(rows))
