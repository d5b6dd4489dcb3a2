"""A bundle directory being written; ``bundle.json`` is its only commit point.

Until that file is there the directory is unfinished: readers refuse it and the
next pack clears it. Files are written in the order of spec §30.2, each flushed
before the one that names it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bundle.digest import Digest
from bundle.durable import (
    flush_directory,
    make_directory,
    move,
    target_errors,
    write_file,
)
from bundle.errors import ExistsError, TargetError
from bundle.flow.turnstile import Halted
from bundle.format import layout
from bundle.format.descriptor import (
    APPROVAL,
    RECIPES,
    RELEASE,
    SHARDS,
    VOLUME,
    Descriptor,
)
from bundle.format.manifest import Manifest, Requires, Volume
from bundle.format.recipes import serialize_recipes
from bundle.format.shards import serialize_shards
from bundle.medium.spread import medium_path, share_out
from bundle.medium.volumes import ShardHasher, Volumes
from bundle.trust.envelope import MANIFEST_TYPE, sign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bundle.format.columns import Bytes
    from bundle.format.release import Release
    from bundle.state.keydir import Signer


@dataclass(frozen=True, slots=True)
class Payload:
    """What goes into a bundle beside its volumes, all of it final.

    ``release`` is the payload that ``envelope`` signs; ``recipes`` are the bytes
    of those carried, in the order of the release's artifacts. ``required`` has
    the sorted ids (n, 32) of the chunks that they use and no volume holds.
    ``beside`` are further files by name: detached signatures over the release.
    """

    release: Release
    release_payload: bytes
    envelope: bytes
    recipes: Sequence[bytes]
    approval: bytes
    required: Bytes = field(default_factory=lambda: np.zeros((0, 32), np.uint8))
    beside: Mapping[str, bytes] = field(default_factory=dict)


class BundleWriter:
    """Owns one directory from its making to ``commit`` or ``abandon``."""

    def __init__(
        self, directory: Path, volume_size: int, media_size: int | None = None
    ) -> None:
        """Make the directory, clearing what an interrupted pack left in it.

        What takes more than ``media_size`` bytes is spread in the end over
        several directories beside it, named after it.

        Raises:
            ExistsError: a finished bundle is there, or files that are not ours, or
                another pack is at work.
            TargetError: it cannot be made.
        """
        self.directory = directory
        self.directories: tuple[Path, ...] = (directory,)
        self.volumes = Volumes(directory, volume_size)
        self._volume_size = volume_size
        self._media_size = media_size
        self._stopped = False
        if not directory.parent.is_dir():
            _make_output(directory.parent)
        _refuse_finished(directory)
        make_directory(directory, mode=0o755)
        self._lock = _lock(directory)
        try:
            _refuse_finished(directory)
            _clear(directory)
        except BaseException:
            self._unlock()
            raise

    def start_again(self) -> None:
        """Drop what the volumes hold so far.

        Raises:
            TargetError: the medium refuses.
        """
        with target_errors(self.directory):
            for volume in self.volumes.volumes:
                volume.path.unlink()
        self.volumes = Volumes(self.directory, self._volume_size)

    def stop(self) -> None:
        """Make ``commit``, on its thread, raise before it writes the next file."""
        self._stopped = True

    def commit(self, payload: Payload, signer: Signer) -> Manifest:
        """Write everything else and, last, ``bundle.json``; return what it says.

        Raises:
            TargetError: the medium is full or refuses; the bundle is unfinished.
            Halted: it was stopped; the bundle is unfinished.
        """
        for volume in self.volumes.volumes:
            self._go_on()
            volume.finish()
        contents = payload.release.contents
        buffers = serialize_recipes(contents, payload.recipes, payload.required)
        hashers = [_hasher(buffers)]
        hashers += [volume.hasher for volume in self.volumes.volumes]
        shards = serialize_shards(b"".join(hasher.shards() for hasher in hashers))
        manifest = self._manifest(payload, contents, hashers, shards)
        envelope = sign(manifest.serialize(), MANIFEST_TYPE, [signer.key])
        files = {
            layout.RECIPES: b"".join(buffers),
            layout.SHARDS: shards,
            layout.APPROVAL: payload.approval,
            **{
                f"{layout.TRUST}/{name}": one
                for name, one in signer.trust_files.items()
            },
            **payload.beside,
            layout.RELEASE: payload.envelope,
            f"{layout.COPY}/{layout.RELEASE}": payload.envelope,
            f"{layout.COPY}/{layout.MANIFEST}": envelope,
        }
        self._spread([len(data) for data in (*files.values(), envelope)])
        for name, data in files.items():
            self._write(name, data)
        with target_errors(self.directory):
            flush_directory(self.directory.parent)
        self._write(layout.MANIFEST, envelope)
        self._unlock()
        return manifest

    def abandon(self) -> None:
        """Remove what was written so far, as far as the medium lets us."""
        for directory in {self.directory, *self.directories}:
            with contextlib.suppress(TargetError, OSError):
                _clear(directory)
                directory.rmdir()
        self._unlock()

    def _spread(self, files: Sequence[int]) -> None:
        """Move the volumes into a directory for each medium, where it takes several.

        ``files`` are the sizes of what goes into each beside volumes.

        Raises:
            TargetError: a medium is too small, or something is in the way.
        """
        if self._media_size is None:
            return
        volumes = self.volumes.volumes
        sizes = [volume.hasher.size for volume in volumes]
        shares = share_out(files, sizes, self._media_size)
        if len(shares) == 1:
            return
        media = tuple(
            medium_path(self.directory, number, len(shares))
            for number in range(1, len(shares) + 1)
        )
        for medium in media:
            _refuse_finished(medium)
        self.directories = media
        for medium, share in zip(media, shares, strict=True):
            make_directory(medium, mode=0o755)
            _clear(medium)
            for volume in volumes[share.start : share.stop]:
                self._go_on()
                move(volume.path, medium / volume.path.name)
        with target_errors(self.directory):
            self.directory.rmdir()

    def _manifest(
        self,
        payload: Payload,
        contents: Digest,
        hashers: Sequence[ShardHasher],
        shards: bytes,
    ) -> Manifest:
        recipes, *volumes = [(str(Digest(one.digest())), one.size) for one in hashers]
        approval = Descriptor.of(APPROVAL, payload.approval)
        payload_sizes = sum(hasher.size for hasher in hashers)
        return Manifest(
            release=Descriptor.of(RELEASE, payload.release_payload),
            contents=str(contents),
            recipes=Descriptor(RECIPES, *recipes),
            carried=tuple(
                str(Digest.parse(Descriptor.of(RECIPES, data).digest))
                for data in payload.recipes
            ),
            volumes=tuple(
                Volume(VOLUME, digest, size, layout.volume_name(number))
                for number, (digest, size) in enumerate(volumes, start=1)
            ),
            shards=Descriptor.of(SHARDS, shards),
            approval=approval,
            requires=Requires.of(payload.required.tobytes()),
            bytes=payload_sizes + len(shards) + approval.size,
        )

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _go_on(self) -> None:
        if self._stopped:
            raise Halted

    def _write(self, name: str, data: bytes) -> None:
        for directory in self.directories:
            self._go_on()
            path = directory / name
            if path.parent != directory:
                make_directory(path.parent, mode=0o755)
            write_file(path, data)


def clear_unfinished(directory: Path) -> None:
    """Remove the unfinished bundle that a killed pack left, if it is surely that.

    It stays when it is finished, when another pack is at work on it or the medium
    cannot say, and when it holds a file that is not ours.
    """
    with contextlib.suppress(TargetError, OSError):
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(directory, flags)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (directory / layout.MANIFEST).exists():
                _clear(directory)
                directory.rmdir()
        finally:
            os.close(handle)


def _hasher(buffers: Sequence[bytes | memoryview]) -> ShardHasher:
    hasher = ShardHasher()
    for buffer in buffers:
        hasher.update(buffer)
    return hasher


def _clear(directory: Path) -> None:
    """Remove our files from an unfinished bundle, and nothing else.

    The manifest goes first: nothing may look finished that is not whole.

    Raises:
        ExistsError: a file is there that is not ours; nothing was removed.
    """
    if not directory.is_dir():
        return
    with target_errors(directory):
        entries = list(directory.iterdir())
        for entry in entries:
            if not layout.is_ours(entry.name):
                raise ExistsError(
                    f"{entry}: a file that is not part of a bundle is in the way",
                    advice="move it away, or choose another --out",
                )
        (directory / layout.MANIFEST).unlink(missing_ok=True)
        for entry in entries:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)


def _lock(directory: Path) -> int:
    """Return a handle that keeps a second pack out, where the medium has locks.

    Raises:
        ExistsError: another pack has it.
    """
    with target_errors(directory):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise ExistsError(
                f"{directory}: another pack is writing here",
                advice="wait for it to end, or choose another --out",
            ) from None
        except OSError:
            return handle
    return handle


def _make_output(out: Path) -> None:
    if not out.parent.is_dir():
        raise TargetError(
            f"{out}: the directory above does not exist",
            advice=f"make it first: mkdir -p {out.parent}",
        )
    make_directory(out, mode=0o755)


def _refuse_finished(directory: Path) -> None:
    if (directory / layout.MANIFEST).exists():
        raise ExistsError(
            f"{directory}: a finished bundle is there already",
            advice="it is never overwritten: choose another --out, or remove it",
        )
