"""Commands that ask the daemon for something, or do it where nothing runs."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundle.errors import UsageError
from bundle.state.receiver import TrustChoice
from bundle.store.local import LocalStore
from syncd.assembly import load_config, open_journal
from syncd.catalogue import Catalogue
from syncd.operations import asked_reconcile, asked_retry, asked_rollback
from syncd.publishing import held_of
from syncd.receipts import write_receipt
from syncd.requests import knock

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session
    from syncd.config import Config


def retry(options: argparse.Namespace, session: Session) -> None:
    """Ask for another look at a bundle.

    Raises:
        UsageError: no bundle, or several, are called that.
    """
    config = load_config(Path(options.config))
    with closing(open_journal(config)) as journal:
        members = asked_retry(journal.arrivals(), options.bundle)
    _ask(options, session, config, "retry", members)


def rollback(options: argparse.Namespace, session: Session) -> None:
    """Ask for an earlier release of a stream, until a later one comes.

    Nothing is lowered: what is older than the newest release ever taken is still
    refused from any medium.

    Raises:
        UsageError: the store does not hold that release.
    """
    config = load_config(Path(options.config))
    with closing(LocalStore(Path(config.store.path))) as store:
        entries = asyncio.run(Catalogue(store).entries())
    held = [held_of(one, config.target) for one in entries]
    members = asked_rollback(held, options.stream, options.seq, options.reason)
    _ask(options, session, config, "rollback", members)


def reconcile(options: argparse.Namespace, session: Session) -> None:
    """Ask that targets are hashed, and what was changed or lost is restored.

    Raises:
        UsageError: no target is called that.
    """
    config = load_config(Path(options.config))
    members = asked_reconcile(config.target, options.target)
    _ask(options, session, config, "reconcile", members)


def bring(options: argparse.Namespace, session: Session) -> None:
    """Ask that a directory is looked at as if it were a medium.

    Raises:
        UsageError: it is not there.
    """
    config = load_config(Path(options.config))
    path = Path(options.path).absolute()
    if not path.is_dir():
        raise UsageError(f"{path}: not a directory")
    _ask(options, session, config, "import", {"path": str(path)})


def receipt(options: argparse.Namespace, session: Session) -> None:
    """Write a receipt of what the store holds now.

    Raises:
        TargetError: it cannot be written.
        TrustError: no root is enrolled.
    """
    config = load_config(Path(options.config))
    trust = TrustChoice(root=None, state=Path(config.state), site=config.site)
    with closing(LocalStore(Path(config.store.path))) as store:
        path = write_receipt(
            Path(options.directory),
            trust,
            asyncio.run(store.identity()),
            asyncio.run(store.releases()),
            whole=True,
            now=session.clock(),
        )
    session.output.event("result", verb=options.verb, receipt=path)
    session.output.answer(str(path))


def _ask(
    options: argparse.Namespace,
    session: Session,
    config: Config,
    verb: str,
    members: dict[str, Any],
) -> None:
    with closing(open_journal(config)) as journal:
        journal.ask(verb, members, session.clock())
    knock(Path(config.state))
    session.output.event("result", verb=options.verb, asked=verb, **members)
    session.output.say("asked: syncd does it now, or when it runs next")
