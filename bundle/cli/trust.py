"""``bundle trust``: the root that a receiver trusts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.fingerprint import print_fingerprint
from bundle.errors import TrustError

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session
    from bundle.trust.policy import Mark
    from bundle.trust.roles import Root


def enrol(options: argparse.Namespace, session: Session) -> None:
    """Trust a root, for good.

    Raises:
        MissingError: there is no such file.
        FormatError: it is no root file.
        TrustError: it has another fingerprint, or another root is enrolled.
    """
    from bundle.limits import MAX_TRUST_FILE
    from bundle.state import receiver
    from bundle.state.files import read_bounded

    data = read_bounded(Path(options.root), MAX_TRUST_FILE, rule="22.1.1")
    root = receiver.enrol(session.state, data, options.fingerprint)
    _print(root, [], options, session)
    if options.fingerprint is None:
        session.output.hint(
            "nobody has checked this fingerprint: compare it with the sender's"
        )


def show(options: argparse.Namespace, session: Session) -> None:
    """Print the enrolled root and what was published here under it.

    Raises:
        TrustError: no root is enrolled.
    """
    if options.directory is not None:
        from bundle.cli import ceremony

        ceremony.show(Path(options.directory), options, session)
        return
    from bundle.state import receiver

    root = receiver.enrolled_root(session.state)
    if root is None:
        raise TrustError(
            f"{session.state}: no trust root is enrolled",
            rule="22.5.1",
            advice="run: bundle trust enrol ROOT.json",
        )
    _print(root, receiver.read_marks(session.state), options, session)


def site_key(options: argparse.Namespace, session: Session) -> None:
    """Print the public key of a site, made on first use.

    Raises:
        TrustError: the key in the state is damaged.
        TargetError: it could not be made.
    """
    from bundle.state import site

    name = options.site or site.DEFAULT_SITE
    public = site.site_key(session.state, name).public
    session.output.event(
        "result",
        verb=options.verb,
        state=session.state,
        site=name,
        public=public.raw.hex(),
        keyid=public.keyid,
    )
    session.output.say(f"site {name}: the key of the role site:{name}")
    session.output.answer(public.raw.hex())
    session.output.hint(
        "next, where the root key is: "
        f"bundle trust role add site:{name} {public.raw.hex()}"
    )


def _print(
    root: Root, marks: list[Mark], options: argparse.Namespace, session: Session
) -> None:
    """Print a root, and the newest release of each stream."""
    from bundle.wire import write_moment

    output = session.output
    for mark in marks:
        output.event(
            "stream",
            id=mark.stream,
            name=mark.name,
            seq=mark.seq,
            release=mark.release,
        )
    output.event(
        "result",
        verb=options.verb,
        state=session.state,
        name=root.name,
        version=root.version,
        expires=write_moment(root.expires),
        fingerprint=root.fingerprint,
    )
    name = "" if root.name is None else f" of {root.name}"
    output.say(f"root {root.version}{name}, expires {write_moment(root.expires)}")
    print_fingerprint(root, options, output)
    if marks:
        output.table(
            ("stream", ">release", "digest"),
            [(mark.name, mark.seq, mark.release) for mark in marks],
        )
