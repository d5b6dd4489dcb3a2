"""Chunks out of the packs in a bucket: ranges of frames, decoded and hashed again.

Frames that lie near one another in a pack come with one request. Which bytes to
ask for follows from the index, and nothing that comes is believed: a frame is
checked and decoded, and every chunk hashed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from blake3 import blake3

from bundle.codec.codec import Decoder
from bundle.digest import DIGEST_SIZE
from bundle.errors import (
    BundleError,
    FormatError,
    IntegrityError,
    NotFoundError,
    TransientError,
    TruncatedError,
)
from bundle.flow.together import together
from bundle.format.columns import RECORD_SIZE
from bundle.format.frame import ENTRY_SIZE, frame_size, parse_frame
from bundle.limits import (
    KIB,
    MAX_FRAME_CHUNKS,
    MAX_FRAME_STORED,
    MIB,
)
from bundle.store.s3_names import PACKS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from bundle.format.columns import Bytes
    from bundle.format.frame import FrameHeader
    from bundle.store.s3_index import Located
    from bundle.store.s3_state import S3State

GAP: Final = 256 * KIB
"""Bytes between two frames that are fetched with them rather than asked for again."""

SPAN: Final = 16 * MIB
"""Bytes that one request asks for at most, unless one frame has more."""

BATCH: Final = 32
"""Chunks that are fetched together: at most so many frames are in memory."""

AT_ONCE: Final = 8
"""Requests under way at once."""

_KEPT: Final = 32 * MIB
"""Plain bytes of frames that are kept for the next question."""

_FRAME: Final = RECORD_SIZE + ENTRY_SIZE * MAX_FRAME_CHUNKS + MAX_FRAME_STORED

_Frame: TypeAlias = tuple[int, int]

Fetched: TypeAlias = bytes | BundleError
"""A chunk, or why it is not to be had."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of one pack, by its number here, and the frames that begin in them."""

    pack: int
    start: int
    end: int
    frames: tuple[int, ...]


def spans_of(pack: int, frames: Iterable[_Frame]) -> list[Span]:
    """Return what to ask for to get these frames of a pack.

    ``frames`` are where each begins and ends, ascending.

    >>> [(one.start, one.end) for one in spans_of(1, [(64, 100), (100, 900)])]
    [(64, 900)]
    >>> [(one.start, one.end) for one in spans_of(1, [(64, 100), (1 << 30, 1 << 31)])]
    [(64, 100), (1073741824, 2147483648)]
    """
    spans: list[Span] = []
    for start, end in frames:
        last = spans[-1] if spans else None
        if last and start - last.end <= GAP and end - last.start <= SPAN:
            spans[-1] = Span(
                pack, last.start, max(end, last.end), (*last.frames, start)
            )
        else:
            spans.append(Span(pack, start, end, (start,)))
    return spans


class ChunkFetcher:
    """Fetches chunks of one store, and keeps the frames it had last."""

    def __init__(self, state: S3State) -> None:
        self._state = state
        self._plain: OrderedDict[_Frame, bytes] = OrderedDict()

    async def fetch(self, ids: Bytes) -> list[Fetched]:
        """Return the chunk of each of ``ids``, or why it is not to be had.

        Raises:
            TargetError, TransientError: the bucket cannot be read.
        """
        located = await asyncio.to_thread(self._state.index.locate, ids, leaving=True)
        wanted = {
            (int(pack), int(frame))
            for pack, frame, held in zip(
                located.pack, located.frame, located.held, strict=True
            )
            if held
        }
        plain: dict[_Frame, Fetched] = {
            one: data for one in wanted if (data := self._plain.get(one)) is not None
        }

        async def bring(span: Span) -> None:
            await self._bring(span, plain)

        await together(bring, self._spans(wanted - plain.keys()), AT_ONCE)
        found = [
            self._chunk(row, ids[row].tobytes(), located, plain)
            for row in range(len(ids))
        ]
        self._keep(plain)
        return found

    def forget(self) -> None:
        """Keep no frames: the numbers of packs may mean others now."""
        self._plain.clear()

    def _spans(self, wanted: set[_Frame]) -> list[Span]:
        spans: list[Span] = []
        for pack in sorted({pack for pack, _ in wanted}):
            known = self._state.index.frames(pack)
            starts = sorted(start for one, start in wanted if one == pack)
            ends = [known.end_of(start) or start + _FRAME for start in starts]
            spans += spans_of(pack, zip(starts, ends, strict=True))
        return spans

    async def _bring(self, span: Span, plain: dict[_Frame, Fetched]) -> None:
        """Fetch and decode frames; what is wrong with one stands in its place."""
        pack = self._state.index.pack(span.pack)
        try:
            data = await self._state.place.part(
                PACKS.key(pack), span.start, span.end - span.start
            )
        except NotFoundError as error:
            plain.update({(span.pack, start): error for start in span.frames})
            return
        offsets = [start - span.start for start in span.frames]
        decoded = await asyncio.to_thread(_decode, data, offsets)
        for start, one in zip(span.frames, decoded, strict=True):
            plain[span.pack, start] = one

    def _chunk(
        self,
        row: int,
        chunk: bytes,
        located: Located,
        plain: dict[_Frame, Fetched],
    ) -> Fetched:
        if not located.held[row]:
            return NotFoundError(f"chunk {chunk.hex()} is not in the store")
        pack, start = int(located.pack[row]), int(located.offset[row])
        frame = plain[pack, int(located.frame[row])]
        if isinstance(frame, BundleError):
            return frame
        data = frame[start : start + int(located.length[row])]
        if blake3(data).digest() != chunk:
            name = PACKS.key(self._state.index.pack(pack))
            return IntegrityError(
                f"chunk {chunk.hex()} is not where the index has it, in "
                f"{self._state.place.text(name)}",
                rule="50.1.2",
                advice="'bundle store check' says what is damaged",
            )
        return data

    def _keep(self, plain: dict[_Frame, Fetched]) -> None:
        for one, data in plain.items():
            if isinstance(data, bytes):
                self._plain[one] = data
                self._plain.move_to_end(one)
        while sum(map(len, self._plain.values())) > _KEPT:
            self._plain.popitem(last=False)


class ReadQueue:
    """Makes one question of those that are asked at the same time.

    Whoever asks first waits a moment, so that others can, and asks for all.
    """

    def __init__(self, fetch: Callable[[Bytes], Awaitable[list[Fetched]]]) -> None:
        self._fetch = fetch
        self._asked: list[tuple[bytes, asyncio.Future[Fetched]]] = []

    async def read(self, chunk: bytes) -> bytes:
        """Return a chunk.

        Raises:
            BundleError: what ``fetch`` says of it, or raises.
        """
        future: asyncio.Future[Fetched] = asyncio.get_running_loop().create_future()
        self._asked.append((chunk, future))
        if len(self._asked) == 1:
            await self._answer_all()
        found = await future
        if isinstance(found, BundleError):
            raise found
        return found

    async def _answer_all(self) -> None:
        given: list[asyncio.Future[Fetched]] = []
        try:
            await asyncio.sleep(0)
            while self._asked:
                asked, self._asked = self._asked[:BATCH], self._asked[BATCH:]
                given = [future for _, future in asked]
                raw = b"".join(chunk for chunk, _ in asked)
                rows = np.frombuffer(raw, np.uint8).reshape(-1, DIGEST_SIZE)
                for future, one in zip(given, await self._fetch(rows), strict=True):
                    if not future.done():
                        future.set_result(one)
        except BaseException as failure:
            error = (
                failure
                if isinstance(failure, BundleError)
                else TransientError("the question was given up; ask again")
            )
            for future in (*given, *(one for _, one in self._asked)):
                if not future.done():
                    future.set_result(error)
            self._asked = []
            if not isinstance(failure, BundleError):
                raise


def _decode(data: bytes, offsets: Iterable[int]) -> list[Fetched]:
    decoder, view = Decoder(), memoryview(data)
    decoded: list[Fetched] = []
    for offset in offsets:
        try:
            decoded.append(decode_frame(view[offset:], decoder)[1])
        except (FormatError, IntegrityError) as error:
            decoded.append(error)
    return decoded


def decode_frame(data: memoryview, decoder: Decoder) -> tuple[FrameHeader, bytes]:
    """Return the header and the plain bytes of the frame that ``data`` begins with.

    Raises:
        FormatError, IntegrityError: it is damaged, or not all there.
    """
    size = frame_size(data[:RECORD_SIZE])
    if size is None or size > len(data):
        raise TruncatedError("a frame is cut off", rule="5.2.1", offset=len(data))
    header = parse_frame(data[:size])
    payload = data[header.table_end : header.size]
    header.check_payload(payload)
    plain = decoder.decode(
        header.encoding,
        header.width,
        header.rotate,
        header.flags,
        payload,
        header.plain,
    )
    return header, bytes(plain)
