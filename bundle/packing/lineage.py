"""Where the next release stands in its stream: its id, its number, what it follows."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.digest import Digest, digest_of
from bundle.errors import FormatError, TrustError, UsageError
from bundle.format.layout import RELEASE, directory_name
from bundle.format.release import GENESIS, Release
from bundle.limits import MAX_ENVELOPE
from bundle.medium.files import read_whole
from bundle.medium.writer import clear_unfinished
from bundle.packing.history import remember
from bundle.state.sender import find_stream, open_stream
from bundle.trust.envelope import RELEASE_TYPE, parse, verify

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bundle.format.recipe import Recipe
    from bundle.state.keydir import Signer
    from bundle.state.sender import SenderStream


@dataclass(frozen=True, slots=True)
class Lineage:
    """The stream as its packer knows it; nothing of it is written yet.

    ``seq`` is the number the next release would get and ``prev`` the digest of
    the one before, or ``genesis``. ``before`` is None for the first release.
    """

    state: Path
    root: Digest
    name: str
    id: str
    seq: int
    prev: str
    before: Release | None

    @property
    def stream(self) -> SenderStream | None:
        """What this packer remembers of the stream; None before the first pack."""
        return find_stream(self.state, self.root, self.name)

    def recipe(self, digest: str) -> Recipe | None:
        """Return a recipe of a past release, None where it is not remembered."""
        stream = self.stream
        return None if stream is None else stream.shelf.get(digest)

    def clear_unfinished(self, out: Path) -> None:
        """Remove from ``out`` what packs of this stream that were killed left there."""
        for seq in self.stream.unfinished() if self.stream else ():
            clear_unfinished(out / directory_name(self.name, seq))

    def burn(self) -> int:
        """Take a number for good and return it.

        Raises:
            TrustError: the stream has got another id meanwhile.
            TargetError: it could not be made durable; sign nothing.
        """
        stream = open_stream(self.state, self.root, self.name, new_id=lambda: self.id)
        if stream.id != self.id:
            raise TrustError(
                f"another packer has started the stream {self.name}",
                rule="30.5.1",
                advice="run the same command again",
            )
        return stream.reserve(self.seq - 1)

    def finish(self, envelope: bytes, recipes: Iterable[bytes]) -> None:
        """Remember the release that was written to its end, with its new recipes.

        Raises:
            TargetError: it could not be written.
        """
        stream = self.stream
        if stream is not None:
            remember(stream, self.seq, envelope, recipes)


def trace(state: Path, signer: Signer, name: str, after: Path | None) -> Lineage:
    """Return where the next release of the stream ``name`` stands.

    ``after`` is a bundle directory or a release.json to continue from; None
    continues from what ``state`` remembers.

    Raises:
        FormatError: what ``state`` remembers is damaged.
        TrustError: ``after`` was not signed by this root's packers.
        UsageError: ``after`` is a release of another stream.
    """
    root = signer.anchor.fingerprint
    stream = find_stream(state, root, name)
    if after is not None:
        payload: bytes | None = _read_release(after, signer)
    else:
        payload = None if stream is None else _last_payload(stream)
    before = Release.parse(payload) if payload is not None else None
    identity = stream.id if stream is not None else secrets.token_hex(16)
    seq = before.seq if before is not None else 0
    if before is not None and after is not None:
        if before.stream.name != name or (
            stream is not None and before.stream.id != stream.id
        ):
            raise UsageError(
                f"--after {after} is a release of {before.stream.name} "
                f"({before.stream.id}), not of {name}",
                advice="name that stream, or leave --after out",
            )
        identity = before.stream.id
    return Lineage(
        state=state,
        root=root,
        name=name,
        id=identity,
        seq=stream.next_seq(seq) if stream is not None else seq + 1,
        prev=str(digest_of(payload)) if payload is not None else GENESIS,
        before=before,
    )


def _last_payload(stream: SenderStream) -> bytes | None:
    """Return the newest release that this packer finished, None before the first."""
    last = stream.last()
    if last is None:
        return None
    try:
        return parse(last.envelope, limit=MAX_ENVELOPE).payload
    except FormatError as error:
        raise FormatError(
            f"{stream.directory}: release {last.seq} is damaged: {error.args[0]}",
            rule="30.5.4",
            advice="continue from its bundle: --after BUNDLE",
        ) from error


def _read_release(path: Path, signer: Signer) -> bytes:
    path = path / RELEASE if path.is_dir() else path
    data = read_whole(path, MAX_ENVELOPE)
    return verify(
        data,
        RELEASE_TYPE,
        signer.packers.keys,
        signer.packers.threshold,
        limit=MAX_ENVELOPE,
    ).payload
