"""``bundle sign``: one more packer or relay signs what another has made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.reading import trust_of
from bundle.cli.units import count_text, revision_text, size_text

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session
    from bundle.medium.cosigning import Cosigned


def sign(options: argparse.Namespace, session: Session) -> None:
    """Add a signature to a finished bundle, and say how many are still missing.

    Raises:
        MissingError: there is no bundle, or no key.
        TrustError: the key has no part in it, or nobody has begun.
    """
    from bundle.limits import MAX_KEY_FILE
    from bundle.medium.cosigning import cosign
    from bundle.state.files import read_bounded
    from bundle.state.keydir import PACKER_KEY
    from bundle.trust.keys import PrivateKey

    path = Path(options.key)
    path = path / PACKER_KEY if path.is_dir() else path
    key = PrivateKey.from_pem(read_bounded(path, MAX_KEY_FILE, rule="21.2.1"))
    choice = trust_of(options, session)
    directories = [*map(Path, dict.fromkeys(options.bundles))]
    done = cosign(directories, choice, key, session.clock())
    _print(done, key.public.keyid, options, session)


def _print(
    done: Cosigned, keyid: str, options: argparse.Namespace, session: Session
) -> None:
    output, release = session.output, done.release
    output.table(
        ("kind", "name", "revision", ">files", ">size"),
        [
            (
                one.kind,
                one.name,
                revision_text(one.revision),
                f"{one.files:,}",
                size_text(one.bytes),
            )
            for one in release.artifacts
        ],
    )
    output.event(
        "result",
        verb=options.verb,
        bundle=options.bundles[0],
        stream=release.stream.name,
        seq=release.seq,
        release=done.digest,
        role=done.role,
        keyid=keyid,
        signers=done.verification.signed,
        missing=done.verification.missing,
    )
    output.say(f"release {release.seq} of {release.stream.name}, {done.digest}")
    missing = done.verification.missing
    output.say(
        f"signed as {done.role} by {keyid[:16]}; "
        + (f"{count_text(missing, 'signature')} missing" if missing else "complete")
    )
