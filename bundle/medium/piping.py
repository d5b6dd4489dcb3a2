"""A bundle through a pipe: written once, read once, never laid down in between.

Envelopes and lists are small and go into a directory that is gone once they are
checked, in the order and by the code that a medium is read with; the volumes are
checked shard by shard as they come (spec §80).
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import FormatError, IntegrityError, LimitError, StoreError
from bundle.format import layout
from bundle.format.columns import RECORD_SIZE
from bundle.format.manifest import Manifest
from bundle.format.stream import (
    ENDING,
    LISTS,
    Entry,
    check_name,
    entry_name,
    is_envelope,
    serialize_entry,
)
from bundle.limits import (
    MAX_DETACHED_SIGNATURE,
    MAX_DIRECTORY_SCAN,
    MAX_ENVELOPE,
    MAX_TRUST_FILE,
    SHARD,
)
from bundle.medium.files import ShardedFile, names_on, read_whole
from bundle.medium.reader import OpenBundle, open_bundle, read_trust
from bundle.state.judgement import noting_refusals
from bundle.state.receiver import load_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from bundle.format.shards import Shards
    from bundle.progress import Reporter
    from bundle.state.receiver import TrustChoice


# -- writing -------------------------------------------------------------------


def export(
    opened: OpenBundle, write: Callable[[bytes], None], reporter: Reporter
) -> int:
    """Hand a bundle to ``write`` as one stream; return its bytes.

    Raises:
        MissingError: a volume is not here.
        IntegrityError: a volume is damaged; what was written has no ending.
        StoreError: the medium cannot be read.
    """
    total = 0
    with opened.volumes() as volumes:
        reporter.started("export", sum(volume.size for volume in volumes))
        for name, data in _small(opened):
            head = serialize_entry(name, len(data))
            write(head + data)
            total += len(head) + len(data)
        size = opened.manifest.recipes.size
        recipes = ShardedFile(opened.path / layout.RECIPES, size, opened.shards, 0)
        try:
            total += _send(recipes, write, None)
        finally:
            recipes.close()
        for volume in volumes:
            total += _send(volume, write, reporter)
        ending = serialize_entry(ENDING, 0)
        write(ending)
    reporter.finished()
    return total + len(ending)


def _small(opened: OpenBundle) -> Iterator[tuple[str, bytes]]:
    path = opened.path
    for name, data in read_trust(path).items():
        yield f"{layout.TRUST}/{name}", data
    yield layout.RELEASE, read_whole(path / layout.RELEASE, MAX_ENVELOPE)
    for base in names_on(path / layout.SIGNATURES):
        name = f"{layout.SIGNATURES}/{base}"
        if is_envelope(name):
            yield name, read_whole(path / name, MAX_DETACHED_SIGNATURE)
    manifest = opened.manifest
    yield layout.MANIFEST, read_whole(path / layout.MANIFEST, MAX_ENVELOPE)
    yield layout.APPROVAL, read_whole(path / layout.APPROVAL, manifest.approval.size)
    yield layout.SHARDS, read_whole(path / layout.SHARDS, manifest.shards.size)


def _send(
    file: ShardedFile, write: Callable[[bytes], None], reporter: Reporter | None
) -> int:
    head = serialize_entry(file.path.name, file.size)
    write(head)
    buffer = memoryview(bytearray(SHARD))
    for number in range(-(-file.size // SHARD)):
        size = file.read_shard(number, buffer)
        write(bytes(buffer[:size]))
        if reporter is not None:
            reporter.advanced(size)
    return len(head) + file.size


# -- reading -------------------------------------------------------------------


def open_stream(stream: BinaryIO, choice: TrustChoice, clock: float) -> OpenBundle:
    """Open the bundle that comes in ``stream``, up to its first volume.

    Its volumes can be opened as those of any other, and read once, in order.

    Raises:
        FormatError, IntegrityError: it is damaged, or ends too soon.
        TrustError: it is not signed by whom this receiver trusts, or not for it.
        StoreError: the stream cannot be read.
    """
    pipe = _Entries(stream)
    with tempfile.TemporaryDirectory(prefix="bundle-stream-") as name:
        directory = Path(name)
        _take_envelopes(pipe, directory)
        # Sizes are signed before anything that may be large is laid down.
        with noting_refusals(choice, clock, "-"):
            trust = load_trust(choice, read_trust(directory), clock, keep=False)
            envelope = read_whole(directory / layout.MANIFEST, MAX_ENVELOPE)
            payload = trust.verify_manifest(envelope).payload
        manifest = Manifest.parse(payload)
        signed = (manifest.approval, manifest.shards, manifest.recipes)
        for listed, descriptor in zip(LISTS, signed, strict=True):
            pipe.expect(listed, descriptor.size)
            pipe.spool(directory / listed, descriptor.size)
        opened = open_bundle(directory, choice, clock)
    return dataclasses.replace(opened, pipe=Pipe(pipe))


class Pipe:
    """The volumes of a bundle that is read from a stream."""

    def __init__(self, entries: _Entries) -> None:
        self._entries = entries
        self._read = 0
        self._ended = False

    def open(self, opened: OpenBundle) -> list[ShardedFile]:
        """Return the volumes; each can be read once, after the one before."""
        return [
            _PipedFile(self, volume.name, volume.size, opened.shards, first)
            for volume, first in opened.numbered()
        ]

    def close(self, opened: OpenBundle) -> None:
        """Read the ending, where the last volume has been read.

        Raises:
            FormatError: something else follows.
        """
        if self._read == len(opened.manifest.volumes) and not self._ended:
            self._ended = True
            self._entries.expect(ENDING, 0)
            self._entries.end()

    def begin(self, name: str, size: int) -> None:
        """Come to the first byte of a volume."""
        self._entries.expect(name, size)

    def fill(self, buffer: memoryview) -> None:
        """Fill ``buffer`` with the next bytes of the volume."""
        self._entries.fill(buffer)

    def end(self) -> None:
        """Note that a volume was read to its end."""
        self._read += 1


class _PipedFile(ShardedFile):
    """A volume in a stream; its shards come once, in order."""

    def __init__(
        self, pipe: Pipe, name: str, size: int, shards: Shards, first: int
    ) -> None:
        self.path = Path(name)
        self.size = size
        self._shards = shards
        self._first = first
        self._descriptor = -1
        self._pipe = pipe
        self._next = 0

    def read_shard(self, number: int, buffer: memoryview) -> int:
        """Put the next shard at the start of ``buffer``; return its size.

        Raises:
            IntegrityError: it is not the shard that was signed (rule 3.3.11).
            StoreError: the stream cannot be read, or is past that shard.
        """
        if number != self._next:
            raise StoreError(f"{self.path.name}: a stream is read once, in order")
        if not number:
            self._pipe.begin(self.path.name, self.size)
        offset = number * SHARD
        shard = buffer[: min(SHARD, self.size - offset)]
        self._pipe.fill(shard)
        end = offset + len(shard)
        name = f"{self.path.name}, bytes {offset} to {end}"
        self._shards.check(self._first + number, shard, name)
        self._next += 1
        if end == self.size:
            self._pipe.end()
        return len(shard)


class _Entries:
    """The entries of a stream, read strictly forward."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._position = 0

    def next(self) -> tuple[str, int]:
        """Return the name and the size of the next entry.

        Raises:
            FormatError: it is none (rule 80.1).
            IntegrityError: the stream ends before (rule 80.1.10).
        """
        head = memoryview(bytearray(RECORD_SIZE))
        self.fill(head)
        entry = Entry.parse(head)
        name = memoryview(bytearray(entry.name_size))
        self.fill(name)
        return entry_name(name), entry.size

    def expect(self, name: str, size: int) -> None:
        """Come to the content of the entry that has to follow.

        Raises:
            FormatError: another one follows (rule 80.2).
            IntegrityError: its size is not the signed one.
        """
        found, found_size = self.next()
        check_name(found, name)
        if found_size != size:
            raise IntegrityError(
                f"{name} has {found_size} bytes where {size} were signed", rule="3.2.4"
            )

    def fill(self, buffer: memoryview) -> None:
        """Fill ``buffer`` with the next bytes.

        Raises:
            IntegrityError: the stream ends before (rule 80.1.10).
            StoreError: the stream cannot be read.
        """
        done = 0
        while done < len(buffer):
            try:
                count = self._stream.readinto(buffer[done:])  # type: ignore[attr-defined]
            except OSError as error:
                raise StoreError(f"the stream: {error.strerror}") from error
            if not count:
                raise IntegrityError(
                    f"the stream ends at byte {self._position + done}",
                    rule="80.1.10",
                    advice="the sender stopped, or the connection broke: send it again",
                )
            done += count
        self._position += done

    def spool(self, path: Path, size: int) -> None:
        """Put the next ``size`` bytes into a file."""
        buffer = memoryview(bytearray(min(SHARD, size)))
        with path.open("xb") as file:
            while size:
                part = buffer[:size]
                self.fill(part)
                file.write(part)
                size -= len(part)

    def end(self) -> None:
        """Refuse bytes after the ending.

        Raises:
            FormatError: there are some (rule 80.1.9).
        """
        if self._stream.read(1):
            raise FormatError(
                "bytes follow the end of the stream",
                rule="80.1.9",
                offset=self._position,
            )


def _take_envelopes(pipe: _Entries, directory: Path) -> None:
    """Lay down the first part of a stream, which ends with ``bundle.json``.

    Raises:
        FormatError: an entry does not belong there, is there twice, or is too large.
    """
    for folder in (layout.TRUST, layout.SIGNATURES):
        (directory / folder).mkdir()
    for _ in range(MAX_DIRECTORY_SCAN):
        name, size = pipe.next()
        if not is_envelope(name):
            raise FormatError(
                f"{name!r} before {layout.MANIFEST} in a stream", rule="80.2.1"
            )
        if size > _limit(name):
            raise LimitError(f"{name} has {size} bytes", rule="4.5")
        if (directory / name).exists():
            raise FormatError(f"{name} is in the stream twice", rule="80.2.1")
        pipe.spool(directory / name, size)
        if name == layout.MANIFEST:
            return
    raise LimitError(f"over {MAX_DIRECTORY_SCAN} entries", rule="4.7")


def _limit(name: str) -> int:
    folder = name.partition("/")[0]
    limits = {
        layout.TRUST: MAX_TRUST_FILE,
        layout.SIGNATURES: MAX_DETACHED_SIGNATURE,
    }
    return limits.get(folder, MAX_ENVELOPE)
