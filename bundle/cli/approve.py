"""``bundle approve``: what a release holds and what changed, and a signature for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.diff import list_files, print_changes
from bundle.cli.reading import trust_of
from bundle.errors import MissingError, TrustError

if TYPE_CHECKING:
    import argparse

    from bundle.approver import Review
    from bundle.cli.session import Session
    from bundle.state.receiver import TrustChoice
    from bundle.trust.keys import PrivateKey

_KEY = "approver.pem"


def approve(options: argparse.Namespace, session: Session) -> None:
    """Show a release as its recipes have it; with a key, sign it.

    Raises:
        MissingError: a recipe or the key is not here.
        TrustError: the document on the medium is another, which is an alarm; or the
            key may not approve.
        ExistsError: the key's file is there and approves something else.
    """
    from bundle import approver

    bundle, *beside = map(Path, options.bundles)
    choice = trust_of(options, session)
    key = _key(options)
    try:
        seen = approver.review(bundle, choice, session.clock(), beside)
    except TrustError as error:
        _log(error, bundle, choice, session)
        raise
    _print(seen, options, session)
    signature = None
    if key is not None:
        to = bundle / "sig" if options.to is None else Path(options.to)
        signature = approver.approve(seen, key, to, session.state, session.clock())
    _conclude(seen, key, signature, options, session)


def _key(options: argparse.Namespace) -> PrivateKey | None:
    from bundle.limits import MAX_KEY_FILE
    from bundle.state.files import read_bounded
    from bundle.trust.keys import PrivateKey

    if options.key is None:
        return None
    path = Path(options.key)
    path = path / _KEY if path.is_dir() else path
    try:
        return PrivateKey.from_pem(read_bounded(path, MAX_KEY_FILE, rule="21.2.1"))
    except MissingError as error:
        error.advice = "make one with: bundle key new DIR --role approver"
        raise


def _log(
    error: TrustError, bundle: Path, choice: TrustChoice, session: Session
) -> None:
    """Put a refusal into the log; an alarm is one too."""
    from bundle.state import audit

    if choice.root is None and (session.state / "trust").is_dir():
        audit.append(
            session.state,
            "refused",
            session.clock(),
            bundle=bundle.name,
            rule=error.rule,
            reason=str(error.args[0]),
        )


def _print(seen: Review, options: argparse.Namespace, session: Session) -> None:
    """Print what an approver has to know, and what changed since the last approval."""
    from bundle.durable import write_file

    output = session.output
    for warning in (*seen.opened.trust.warnings, *_notes(seen)):
        output.warn(warning)
    for artifact in seen.opened.release.artifacts:
        for warning in artifact.warnings:
            output.say(f"{artifact.name}: {warning}")
    print_changes(seen.changes, output)
    if options.long or output.as_json:
        for change in seen.changes:
            list_files(change, output)
    if options.document is not None:
        write_file(Path(options.document), seen.document)


def _notes(seen: Review) -> list[str]:
    release = seen.opened.release
    notes = []
    if seen.before is None:
        notes.append(
            f"no release of {release.stream.name} was approved here: all of it is new"
        )
    elif seen.before.seq >= release.seq:
        notes.append(
            f"release {seen.before.seq} of {release.stream.name} was approved here, "
            f"this is release {release.seq}"
        )
    if seen.unchecked:
        notes.append(
            "what approval.md says of changes was not checked: the release before is "
            "not known here"
        )
    return notes


def _conclude(
    seen: Review,
    key: PrivateKey | None,
    signature: Path | None,
    options: argparse.Namespace,
    session: Session,
) -> None:
    from bundle.trust.roles import APPROVER

    output, opened = session.output, seen.opened
    role = opened.trust.roles.by_name.get(APPROVER)
    output.event(
        "result",
        verb=options.verb,
        bundle=options.bundles[0],
        stream=opened.release.stream.name,
        seq=opened.release.seq,
        release=opened.digest,
        before=None if seen.before is None else seen.before.seq,
        signature=signature,
        keyid=None if key is None else key.public.keyid,
        approvers=opened.facts.approvers,
        needed=0 if role is None else role.threshold,
    )
    release = f"release {opened.release.seq} of {opened.release.stream.name}"
    output.say(f"{release}, {opened.digest}: the document is what the recipes say")
    if signature is not None:
        output.say(f"approved: {signature}")
    else:
        output.hint("nothing is signed; to approve it: --key KEY")
