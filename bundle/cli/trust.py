"""``bundle trust``: the root that a receiver trusts, and what it lets through."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.cli.fingerprint import print_fingerprint
from bundle.errors import TrustError, UsageError

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session
    from bundle.medium.reader import OpenBundle
    from bundle.state.receiver import Reason, TrustChoice
    from bundle.trust.policy import Mark, Waiver
    from bundle.trust.roles import Root

_STREAM: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


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
    root = receiver.enrol(session.state, data, options.fingerprint, session.clock())
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
    _warn_of_alarms(session)


def release(options: argparse.Namespace, session: Session) -> None:
    """Let through a release that is held, or a stream that stands still.

    Raises:
        UsageError: the release is not held.
        MissingError: there is no such bundle, and no alarm on a stream of that id.
        TrustError: it is refused for what nobody can let through.
    """
    from bundle.cli.reading import reason_of, trust_of

    reason = reason_of(options.reason, options, session)
    if _STREAM.fullmatch(options.what):
        from bundle.state.decisions import end_alarm

        alarm = end_alarm(
            session.state, options.what, reason.by, reason.text, session.clock()
        )
        _told(alarm.stream, None, (), reason, options, session)
        session.output.say(f"the stream {alarm.name} may go on")
        return
    if options.trust is not None:
        raise UsageError("--trust keeps no state, so nothing can be let through")
    from bundle.state.decisions import waive

    opened, waiver = _held(
        Path(options.what), trust_of(options, session), reason, session
    )
    if not waiver.rules:
        raise UsageError(
            f"{options.what}: the release is not held", advice="unpack it as it is"
        )
    waive(session.state, waiver, opened.release.stream.id)
    _told(
        opened.release.stream.id, waiver.release, waiver.rules, reason, options, session
    )
    for warning in opened.decision.warnings:
        session.output.say(warning)


def _held(
    bundle: Path, choice: TrustChoice, reason: Reason, session: Session
) -> tuple[OpenBundle, Waiver]:
    """Open a bundle with everything waived that holds it, one rule after another.

    Raises:
        TrustError: something else refuses it.
    """
    from dataclasses import replace

    from bundle.medium.reader import open_bundle
    from bundle.trust.policy import WAIVABLE, Waiver

    clock = session.clock()
    rules: tuple[str, ...] = ()
    while True:
        waiver = Waiver("", rules, reason.by, reason.text, int(clock))
        try:
            opened = open_bundle(
                bundle, replace(choice, waiver=waiver), clock, keep=False
            )
        except TrustError as error:
            if error.rule not in WAIVABLE or error.rule in rules:
                raise
            rules = (*rules, error.rule)
        else:
            named = Waiver(
                str(opened.digest), rules, reason.by, reason.text, int(clock)
            )
            return opened, named


def _told(
    stream: str,
    release: str | None,
    rules: tuple[str, ...],
    reason: Reason,
    options: argparse.Namespace,
    session: Session,
) -> None:
    session.output.event(
        "result",
        verb=options.verb,
        state=session.state,
        stream=stream,
        release=release,
        rules=rules,
        by=reason.by,
        reason=reason.text,
    )


def _warn_of_alarms(session: Session) -> None:
    from bundle.state.decisions import alarms_in

    for alarm in alarms_in(session.state):
        session.output.warn(
            f"ALARM: two releases {alarm.seq} of {alarm.name}; the stream "
            f"{alarm.stream} stands still"
        )


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
            ("stream", ">release", "digest", "id"),
            [(mark.name, mark.seq, mark.release, mark.stream) for mark in marks],
        )
