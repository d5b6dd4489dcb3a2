"""``syncd token``: who may look at the daemon, and ask it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.durable import make_directory, target_errors
from bundle.errors import UsageError
from bundle.paths import check_slug
from syncd.assembly import load_config
from syncd.http.server import TOKENS
from syncd.http.tokens import Scope, new_token, parse_tokens

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session


def token(options: argparse.Namespace, session: Session) -> None:
    """Make a token, keep its hash, and print it: it is shown this once.

    Raises:
        UsageError: no such scope, or there is a token of that name.
        TargetError: it cannot be kept.
    """
    config = load_config(Path(options.config))
    name = check_slug(options.name, rule="2.2")
    wanted = set(options.scope or [Scope.READ])
    if not wanted <= set(Scope):
        raise UsageError(f"scopes are {', '.join(Scope)}")
    path = Path(config.state) / TOKENS
    made, line = new_token(name, map(Scope, wanted))
    make_directory(path.parent, mode=0o700)
    with target_errors(path):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(file, "r+") as kept:
            text = kept.read()
            if any(one.name == name for one in parse_tokens(text, str(path))):
                raise UsageError(
                    f"there is a token called {name}",
                    advice=f"remove its line in {path} to end it",
                )
            kept.write(line if not text or text.endswith("\n") else f"\n{line}")
            kept.flush()
            os.fsync(kept.fileno())
    session.output.event(
        "result", verb=options.verb, name=name, scopes=sorted(wanted), token=made
    )
    session.output.hint("it is shown this once: keep it where secrets are kept")
    session.output.answer(made)
