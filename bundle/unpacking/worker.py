"""One thread's way through a few frames: read, check, decode, check, write, hash.

Frames are read in turns, so a medium sees one reader going forward. Decoding and
writing happen side by side; the SHA-256 of each file takes the chunks in turns
again, from the memory they were verified in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from bundle.codec.codec import Decoder
from bundle.errors import IntegrityError, MissingError
from bundle.flow.pages import pages
from bundle.flow.turnstile import Halted, Turnstile
from bundle.format.recipe import SegmentKind
from bundle.limits import MAX_FRAME_PLAIN
from bundle.unpacking.stream import BUFFER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bundle.progress import Reporter
    from bundle.unpacking.contents import Content, Contents
    from bundle.unpacking.sink import Sink
    from bundle.unpacking.stream import Found, FrameStream

_NO_SHA1 = bytes(20)


class Chain:
    """The digests of one content, fed strictly in the order of its bytes."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.steps = content.steps()
        self.next: int | bytes | None = next(self.steps, None)
        self._sha256 = hashlib.sha256()
        self._git_sha1 = None
        if content.git_sha1 != _NO_SHA1:
            head = b"blob %d\0" % content.size
            self._git_sha1 = hashlib.sha1(head, usedforsecurity=False)

    def update(self, data: memoryview | bytes) -> None:
        """Take the bytes of ``next`` and move on."""
        self._sha256.update(data)
        if self._git_sha1 is not None:
            self._git_sha1.update(data)
        self.next = next(self.steps, None)

    def check(self) -> None:
        """Refuse a content whose chunks are right and whose digests are not.

        Raises:
            IntegrityError: rule 6.7.
        """
        content = self.content
        right = self._sha256.digest() == content.sha256 and (
            self._git_sha1 is None or self._git_sha1.digest() == content.git_sha1
        )
        if not right:
            raise IntegrityError(
                f"{content.recipe.path(content.index)}: its chunks do not make the "
                "file that was signed",
                rule="6.7",
                advice="the packer was faulty: ask for the bundle to be packed again",
            )


@dataclass(slots=True)
class Assembly:
    """What the workers of one run share; turnstiles order what order matters for."""

    stream: FrameStream
    contents: Contents
    sink: Sink
    reporter: Reporter
    reading: Turnstile = field(default_factory=Turnstile)
    hashing: Turnstile = field(default_factory=Turnstile)
    _chains: dict[int, Chain] = field(default_factory=dict)
    _done: set[int] = field(default_factory=set)
    _stopped: bool = False
    _claimed: np.ndarray = field(init=False)
    _written: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self._claimed = np.zeros(len(self.contents.lengths), np.bool_)
        self._written = np.zeros(len(self.contents.lengths), np.bool_)

    @property
    def turnstiles(self) -> tuple[Turnstile, ...]:
        """Every place where workers wait for one another."""
        return self.reading, self.hashing

    def stop(self) -> None:
        """Make ``begin``, on its thread, raise before the next content."""
        self._stopped = True

    def begin(self) -> None:
        """Write the literals, and conclude what needs no chunk at all.

        Raises:
            Halted: it was stopped.
            TargetError: the sink cannot take it.
        """
        for content in self.contents.all:
            if self._stopped:
                raise Halted
            if not content.size:
                self.sink.write(content, 0, b"")
            offset, whole = 0, True
            for segment in content.recipe.segments(content.index):
                if segment.kind is SegmentKind.LITERAL:
                    data = content.recipe.literal(segment)
                    self.sink.write(content, offset, data)
                    self.reporter.advanced(len(data))
                else:
                    whole = False
                offset += segment.size
            # Others get their chain when their first chunk arrives: it takes memory.
            if whole and self._advance(content, {}):
                self.conclude(content)

    def claim(self, rows: list[int]) -> list[int]:
        """Return those of ``rows`` that no other frame has brought yet."""
        mine = [row for row in rows if not self._claimed[row]]
        self._claimed[mine] = True
        return mine

    def take(self, arrived: dict[int, memoryview]) -> None:
        """Take rows that no frame brings, from one thread and before any frame.

        Raises:
            IntegrityError: a recipe gives a chunk another length, or a content
                is complete and wrong.
            TargetError: the sink cannot take it.
        """
        for row, data in arrived.items():
            if int(self.contents.lengths[row]) != len(data):
                raise IntegrityError(
                    "a recipe and a store give one chunk two lengths", rule="6.6"
                )
            owner = self.contents.all[self.contents.owners[row]]
            self.sink.write(owner, int(self.contents.offsets[row]), data)
        self._claimed[list(arrived)] = True
        for content in self.hash(arrived):
            self.conclude(content)
        self.reporter.advanced(sum(map(len, arrived.values())))

    def hash(self, arrived: dict[int, memoryview]) -> list[Content]:
        """Take rows that were written into their files' digests; in turns.

        Returns the contents that are complete and right now.

        Raises:
            IntegrityError: one is complete and wrong.
        """
        rows = list(arrived)
        self._written[rows] = True
        owners = dict.fromkeys(self.contents.owners[rows].tolist())
        contents = [self.contents.all[owner] for owner in owners]
        return [content for content in contents if self._advance(content, arrived)]

    def _advance(self, content: Content, arrived: dict[int, memoryview]) -> bool:
        chain = self._chains.get(content.number)
        if chain is None:
            chain = self._chains[content.number] = Chain(content)
        while chain.next is not None:
            step = chain.next
            if isinstance(step, bytes):
                chain.update(step)
            elif step in arrived:
                chain.update(arrived[step])
            elif self._written[step]:
                chain.update(self.sink.read(step))
            else:
                return False
        chain.check()
        del self._chains[content.number]
        return True

    def conclude(self, content: Content) -> None:
        """Make a complete content durable and count it."""
        self.sink.conclude(content)
        self._done.add(content.number)

    def unfinished(self) -> Iterator[Content]:
        """Yield the contents that are still missing chunks."""
        return (one for one in self.contents.all if one.number not in self._done)

    def lacking(self) -> NDArray[np.uint8]:
        """Return the ids of chunks that did not come, as rows of 32 bytes."""
        lacking: NDArray[np.uint8] = self.contents.ids[~self._written]
        return lacking

    def check_complete(self) -> None:
        """Refuse a run that ended with contents missing chunks.

        Raises:
            MissingError: names the first of them.
        """
        left = list(self.unfinished())
        if left:
            chunks = int((~self._written).sum())
            path = left[0].recipe.path(left[0].index)
            raise MissingError(
                f"{len(left)} files, the first of them {path}, need {chunks} chunks "
                "that are not in this bundle",
                advice="unpack the bundle that this one builds on first",
            )


class UnpackWorker:
    """Owns one buffer for stored bytes, one for plain ones, and a decoder."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._buffer = pages(BUFFER)
        self._plain = pages(MAX_FRAME_PLAIN)
        self._decoder = Decoder()

    def step(self, ticket: int) -> bool:
        """Take the next frames through; false at the end of the volumes."""
        assembly = self._assembly
        with assembly.reading.turn(ticket):
            frames = assembly.stream.fill(self._buffer)
            found = [assembly.contents.rows_of(frame.header.ids) for frame in frames]
            wanted = [[assembly.claim(rows) for rows in chunks] for chunks in found]
        if not frames:
            return False
        arrived: dict[int, memoryview] = {}
        offset = 0
        for frame, rows in zip(frames, wanted, strict=True):
            room = self._plain[offset : offset + frame.header.plain]
            offset += frame.header.plain
            self._chunks(frame, room, rows, arrived)
        for row, data in arrived.items():
            owner = assembly.contents.all[assembly.contents.owners[row]]
            assembly.sink.write(owner, int(assembly.contents.offsets[row]), data)
        with assembly.hashing.turn(ticket):
            complete = assembly.hash(arrived)
        for content in complete:
            assembly.conclude(content)
        assembly.reporter.advanced(sum(map(len, arrived.values())))
        return True

    def _chunks(
        self,
        frame: Found,
        room: memoryview,
        wanted: list[list[int]],
        arrived: dict[int, memoryview],
    ) -> None:
        """Decode a frame, check every chunk, and note the rows that want it."""
        header = frame.header
        header.check_payload(frame.payload)
        plain = self._decoder.decode(
            header.encoding,
            header.width,
            header.rotate,
            header.flags,
            frame.payload,
            header.plain,
            room,
        )
        end = 0
        for number, length in enumerate(header.lengths.tolist()):
            start, end = end, end + length
            chunk = plain[start:end]
            if blake3(chunk).digest() != header.ids[number].tobytes():
                raise IntegrityError(
                    "a chunk is not the one its frame names", rule="5.5.6"
                )
            for row in wanted[number]:
                if int(self._assembly.contents.lengths[row]) != length:
                    raise IntegrityError(
                        "a recipe and a frame give one chunk two lengths", rule="6.6"
                    )
                arrived[row] = chunk
