"""``bundle relay``: a release of a store, for the next enclave."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.networks import BUCKETS
from bundle.cli.session import run
from bundle.cli.values import default_volume
from bundle.cli.watch import watching
from bundle.cli.written import finish, print_written
from bundle.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session


def relay(options: argparse.Namespace, session: Session) -> None:
    """Send on what was asked for and say what to do next.

    Raises:
        UsageError: the store is not in a directory.
    """
    from bundle import relayer
    from bundle.store.local import LocalStore

    if options.directory.startswith(BUCKETS):
        raise UsageError(
            f"{options.directory}: a bundle is relayed from a store in a directory",
            advice="add the bundle to such a store too: bundle store add BUNDLE DIR",
        )
    with (
        contextlib.closing(LocalStore(Path(options.directory))) as store,
        watching(session.output, session.stopwatch) as reporter,
    ):
        request = relayer.RelayRequest(
            store=store,
            stream=options.stream,
            out=Path(options.out),
            key=Path(options.key),
            clock=session.clock,
            have=None if options.have is None else Path(options.have),
            volume_size=options.volume_size or default_volume(options.media_size),
            media_size=options.media_size,
            dry_run=options.dry_run,
        )
        report = run(relayer.relay(request, reporter))
        parity = finish(report, options, session, reporter)
    print_written(report, options, session.output, parity)
