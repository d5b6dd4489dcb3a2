"""``bundle audit verify``: the log of what was decided here holds together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.cli.units import count_text

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session


def verify(options: argparse.Namespace, session: Session) -> None:
    """Check every line, and print the digest that stands for all of them.

    Raises:
        IntegrityError: a line was changed, dropped, put in or cut off.
    """
    from bundle.state import audit

    found = audit.verify(session.state, options.head)
    output = session.output
    if found.unfinished:
        output.warn(
            f"{audit.NAME}: a crash left {count_text(found.unfinished, 'byte')} of a "
            "line; the next one takes their place"
        )
    output.event(
        "result",
        verb=options.verb,
        state=session.state,
        entries=found.entries,
        head=found.head,
        unfinished=found.unfinished,
    )
    output.say(f"{count_text(found.entries, 'line')}, each follows from the one before")
    output.answer(f"head {found.head}")
