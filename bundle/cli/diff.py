"""``bundle diff``: what differs between two bundles, releases, receipts or targets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.sides import Side, Sides, pair
from bundle.cli.units import count_text, revision_text, size_text
from bundle.format.difference import SAME, Tally, compare, new_bytes
from bundle.state.receiver import TrustChoice

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.format.difference import Change


def diff(options: argparse.Namespace, session: Session) -> None:
    """Print what became of each artifact between A and B.

    Raises:
        MissingError: one of them is not there, or not known here.
        TrustError: one of them is not signed by whom it must be.
        UsageError: they are nothing that can be compared.
    """
    output = session.output
    root = None if options.trust is None else Path(options.trust)
    sides = Sides(TrustChoice(root, session.state), session.clock(), output)
    before, after = pair(sides.read(options.before), sides.read(options.after))
    changes = compare(before.entries, after.entries)
    output.say(f"from {before.described}")
    output.say(f"to {after.described}")
    print_changes(changes, output)
    if options.long or output.as_json:
        for change in changes:
            list_files(change, output)
    _conclude(options.verb, (before, after), changes, output)


def print_changes(changes: Sequence[Change], output: Output) -> None:
    """Print one line for each artifact that is on either side."""
    rows = []
    for change in changes:
        entry, tally = change.entry, change.tally()
        before = None if change.before is None else change.before.revision
        after = None if change.after is None else change.after.revision
        output.event(
            "difference",
            kind=entry.kind,
            name=entry.name,
            state=change.state,
            revision_before=before or None,
            revision_after=after or None,
            **_counts(tally),
        )
        if change.state != SAME:
            row = (change.state, entry.kind, entry.name, _revisions(before, after))
            rows.append((*row, *_cells(tally)))
    titles = ("", "kind", "name", "revision", ">added", ">removed", ">changed")
    output.listing(titles, rows)


def list_files(change: Change, output: Output) -> None:
    """Print one line for each file that differs, however many there are."""
    for file in change.files():
        output.event(
            "change",
            kind=change.entry.kind,
            name=change.entry.name,
            path=file.path,
            state=file.state,
            before=file.before,
            after=file.after,
        )
        sizes = "  ".join(
            f"{'-' if size is None else f'{size:,}':>15}"
            for size in (file.before, file.after)
        )
        output.answer(f"{file.state:<7}  {sizes}  {change.entry.name}/{file.path}")


def _conclude(
    verb: str, sides: tuple[Side, Side], changes: Sequence[Change], output: Output
) -> None:
    """Print the sums."""
    before, after = sides
    tallies = [change.tally() for change in changes]
    known = [tally for tally in tallies if tally is not None]
    total = sum(known, Tally()) if len(known) == len(tallies) else None
    fresh = new_bytes(before.entries, after.entries)
    states = [change.state for change in changes]
    output.event(
        "result",
        verb=verb,
        before=_side(before),
        after=_side(after),
        artifacts={state: states.count(state) for state in _STATES},
        **_counts(total),
        new_bytes=fresh,
    )
    differing = len(states) - states.count(SAME)
    if not differing:
        output.say("no difference")
        return
    files = "files not known here" if total is None else ", ".join(_cells(total))
    output.say(f"{count_text(differing, 'artifact')} differ: {files}")
    if fresh is not None:
        output.say(f"{size_text(fresh)} of chunks that only the newer one has")


_STATES = ("added", "removed", "changed", "same")


def _side(side: Side) -> dict[str, object]:
    return {"described": side.described, "seq": side.seq, "release": side.digest}


def _counts(tally: Tally | None) -> dict[str, int | None]:
    """Return the members of an event that say how much differs, null if unknown."""
    names = [f"{state}_{unit}" for unit in ("files", "bytes") for state in _STATES[:3]]
    return {name: None if tally is None else getattr(tally, name) for name in names}


def _cells(tally: Tally | None) -> tuple[str, str, str]:
    if tally is None:
        return ("?", "?", "?")
    return (
        f"+{tally.added_files:,} ({size_text(tally.added_bytes)})",
        f"-{tally.removed_files:,} ({size_text(tally.removed_bytes)})",
        f"~{tally.changed_files:,} ({size_text(tally.changed_bytes)})",
    )


def _revisions(before: str | None, after: str | None) -> str:
    shown = [revision_text(one) for one in (before, after) if one]
    return " → ".join(dict.fromkeys(shown))
