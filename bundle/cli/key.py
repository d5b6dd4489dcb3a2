"""``bundle key``: the keys of a sender, and of those who decide and approve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.fingerprint import print_fingerprint

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session


def init(options: argparse.Namespace, session: Session) -> None:
    """Make a root key, a packer key and the files that prove them."""
    from bundle.state import keydir
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
    print_fingerprint(root, options, output)
    output.hint(
        "next: take 1.root.json to the receiver, read the fingerprint out over "
        "another channel, and there run:"
    )
    output.hint("  bundle trust enrol 1.root.json --fingerprint '…'")


def new(options: argparse.Namespace, session: Session) -> None:
    """Make one key: a secret, and the public half for whoever decides on roles.

    Raises:
        ExistsError: there is one already; nothing was changed.
        TargetError: it could not be written.
    """
    from bundle.state import keydir

    directory = Path(options.directory)
    role = options.role or "packer"
    public = keydir.new_key(directory, role)
    output = session.output
    output.event(
        "result",
        verb=options.verb,
        directory=directory,
        role=role,
        public=public.raw.hex(),
        keyid=public.keyid,
    )
    output.table(
        ("file", "what it is"),
        [
            (directory / f"{role}.pem", f"secret: signs as {role}"),
            (directory / f"{role}.pub", "public: for whoever holds the root keys"),
        ],
    )
    output.answer(public.raw.hex())
    if role == "root":
        output.hint("next: bundle trust init DIR --root PUBLIC …, or root add-key")
    else:
        output.hint(f"next, there: bundle trust role add {role} {public.raw.hex()}")
