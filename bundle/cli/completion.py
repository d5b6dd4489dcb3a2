"""``bundle completion bash|zsh``: a script that a shell can source."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from bundle.cli.parser import build_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.cli.session import Session

_DIRECTORIES: Final = frozenset({"DIR", "BUNDLE"})
_FILES: Final = frozenset({"ROOT", "ROOT.json", "RELEASE"})


def completion(options: argparse.Namespace, session: Session) -> None:
    """Print the completion script for one shell."""
    import shtab

    parser = build_parser({})
    for action in _actions(parser):
        if action.metavar in _DIRECTORIES:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    script = shtab.complete(parser, shell=options.shell)
    session.output.event(
        "result", verb=options.verb, shell=options.shell, script=script
    )
    if not session.output.as_json:
        session.output.raw(script.encode())


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield every argument of a parser and of the commands below it."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for below in action.choices.values():
                yield from _actions(below)
