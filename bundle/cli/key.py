"""``bundle key init``: the keys of a sender."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session


def init(options: argparse.Namespace, session: Session) -> None:
    """Make a root key, a packer key and the files that prove them."""
    from bundle.state import keydir
    from bundle.trust.roles import fingerprint_text
    from bundle.wire import write_moment

    directory = Path(options.directory)
    root = keydir.init(directory, options.name, session.clock())
    output = session.output
    output.event(
        "result",
        verb=options.verb,
        directory=directory,
        name=root.name,
        version=root.version,
        expires=write_moment(root.expires),
        fingerprint=root.fingerprint,
    )
    output.table(
        ("file", "what it is"),
        [
            (directory / "1.root.json", "the trust root, for every receiver"),
            (directory / "1.roles.json", "who may sign; travels in every bundle"),
            (directory / keydir.PACKER_KEY, "secret: signs bundles, for `pack --key`"),
            (directory / keydir.ROOT_KEY, "secret: signs new roots; keep it offline"),
        ],
    )
    output.say(f"expires {write_moment(root.expires)}")
    output.answer(f"fingerprint {fingerprint_text(root)}")
    output.hint(
        "next: take 1.root.json to the receiver, read the fingerprint out over "
        "another channel, and there run:"
    )
    output.hint("  bundle trust enrol 1.root.json --fingerprint '…'")
