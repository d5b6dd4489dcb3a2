"""A daemon put together from its configuration, and given back whatever happens."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.durable import make_directory, target_errors
from bundle.errors import TargetError, UsageError
from bundle.state.receiver import TrustChoice
from bundle.store.local import LocalStore
from syncd.config import read_config
from syncd.daemon import Daemon
from syncd.journal import Journal
from syncd.requests import doorbell
from syncd.survey import Survey
from syncd.watcher import MOUNTINFO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from syncd.config import Config

_LOCK: Final = "syncd.lock"


def load_config(path: Path) -> Config:
    """Return the configuration in a file.

    Raises:
        UsageError: it cannot be read, or is none; names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return read_config(data, str(path))


def open_journal(config: Config) -> Journal:
    """Return the journal of a configuration, made if there is none.

    Raises:
        TargetError: it is on a network file system, or cannot be opened.
    """
    state = Path(config.state)
    make_directory(state, mode=0o700)
    make_directory(doorbell(state), mode=0o700)
    return Journal.open(state.resolve(), MOUNTINFO.read_text())


@contextlib.contextmanager
def assembled(
    config: Config,
    environment: Mapping[str, str],
    clock: Callable[[], float],
    stopwatch: Callable[[], float],
) -> Iterator[Daemon]:
    """Give a daemon that nothing else runs beside; closed at the end of the block.

    Raises:
        TargetError: the state or the store cannot be used, or another daemon does.
    """
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(contextlib.closing(open_journal(config)))
        stack.enter_context(_alone(Path(config.state)))
        store = LocalStore.make(Path(config.store.path))
        stack.callback(store.close)
        yield Daemon(
            config=config,
            journal=journal,
            store=store,
            trust=TrustChoice(
                root=None,
                state=Path(config.state),
                site=config.site,
                strict=config.strict,
                policy=config.trust,
                signatures=(Path(config.state) / "approvals",),
            ),
            survey=Survey(
                config.media.watch, config.media.depth, config.media.settle_seconds
            ),
            clock=clock,
            stopwatch=stopwatch,
            environment=environment,
        )


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Keep other daemons off this state while the block lasts.

    The kernel lets go of the lock when the process ends, however it ends.
    """
    path = state / _LOCK
    with target_errors(path):
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TargetError(
                f"{state}: another syncd runs with this state",
                advice="stop it first; 'syncd status' says what it does",
            ) from None
        yield
    finally:
        os.close(lock)
