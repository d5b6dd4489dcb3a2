"""``bundle repair``: say what is damaged, and make it good where that was asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.cli.reading import trust_of
from bundle.cli.units import count_text, size_text
from bundle.cli.watch import watching
from bundle.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.medium.repair import Correction, Survey

_SOURCES: Final = {
    "parity": "from parity",
    "copy": "from a copy",
    "length": "bytes that do not belong there, cut off",
}


def repair(options: argparse.Namespace, session: Session) -> None:
    """Look at all of a bundle; write a repaired one, or mend it where it is.

    Raises:
        UsageError: both were asked for.
        IntegrityError: more is lost than can be made good.
    """
    from bundle.medium.repair import survey
    from bundle.medium.restore import restore_in_place, restore_into

    out = _out(options, session)
    output = session.output
    trust = trust_of(options, session)
    directories = [Path(text) for text in options.bundles]
    where: Path | None = None
    left: tuple[str, ...] = ()
    with watching(output, session.stopwatch) as reporter:
        found = survey(directories, trust, session.clock(), reporter)
        for warning in found.warnings:
            reporter.warned(warning)
        if out is not None:
            where = restore_into(found, out, reporter)
        elif options.in_place:
            where = directories[0]
            left = restore_in_place(found, reporter)
    for warning in left:
        output.warn(warning)
    _print(found, options, where, output)
    _say(found, where, output)


def _out(options: argparse.Namespace, session: Session) -> Path | None:
    """Return where a whole bundle is to be written, if anywhere.

    Raises:
        UsageError: that was typed, and a repair in place as well.
    """
    if options.out is None:
        return None
    if options.in_place:
        if options.out != session.environment.get("BUNDLE_OUT"):
            raise UsageError("--out and --in-place: one of them, not both")
        return None
    return Path(options.out)


def _print(
    survey: Survey, options: argparse.Namespace, where: Path | None, output: Output
) -> None:
    """Print each correction, then the result."""
    from bundle.medium.restore import parity_sentences

    repaired = where is not None
    for one in survey.corrections:
        output.event(
            "damage",
            name=one.name,
            offset=one.offset,
            bytes=one.size,
            source=one.source,
            repaired=repaired,
        )
        output.say(_line(one, repaired=repaired))
    output.event(
        "result",
        verb=options.verb,
        bundle=options.bundles[0],
        repaired=where,
        stream=survey.salvaged.release.stream.name,
        seq=survey.salvaged.release.seq,
        release=survey.salvaged.digest,
        shards=len(survey.payload),
        damaged_shards=len(survey.damaged) + len(survey.elsewhere),
        damaged_parity=survey.parity_damaged,
        corrections=len(survey.corrections),
        survives=parity_sentences(survey),
        warnings=survey.warnings,
    )


def _line(one: Correction, *, repaired: bool) -> str:
    """Return what is said of one correction."""
    done = "made good" if repaired else "can be made good"
    if one.source == "length":
        done = "mended" if repaired else "can be mended"
    where = f"bytes {one.offset} to {one.offset + one.size}"
    return f"{one.name}, {where} ({size_text(one.size)}): {done} {_SOURCES[one.source]}"


def _say(survey: Survey, where: Path | None, output: Output) -> None:
    """Say the whole in a line or two, and what to type next."""
    release = survey.salvaged.release
    output.say(f"release {release.seq} of {release.stream.name}")
    damaged = len(survey.damaged) + len(survey.elsewhere)
    small = len(survey.corrections)
    shards = count_text(len(survey.payload), "MiB").removesuffix("s")
    if not survey.corrections and not survey.stale:
        output.say(f"nothing is damaged in {shards}")
    else:
        output.say(
            f"{count_text(small, 'correction')}: {damaged:,} damaged of {shards}; "
            f"{count_text(survey.parity_damaged, 'parity shard')} damaged"
        )
    if where is not None:
        output.answer(str(where))
        output.hint(f"next: bundle verify {where}")
    elif survey.corrections or survey.stale:
        output.say("nothing was written: give --out DIR, or --in-place")
