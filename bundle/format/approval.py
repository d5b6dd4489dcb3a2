r"""approval.md: what a reviewer reads before the bundle may travel (spec §4.6).

Everything in it is taken from releases and their recipes, so that whoever has
those can write it again and compare. Text that comes from a source is kept to one
line and cannot become markup.

>>> print(inline("a|b <script>"))
a\|b &lt;script&gt;
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from bundle.format.difference import SAME, Entry, compare
from bundle.limits import KIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bundle.digest import Digest
    from bundle.format.difference import Change, Tally
    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact, Release

LISTED: Final = 1000
"""Files of one artifact that are listed one by one."""

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()#+!|~])")
_CONTROL: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+"
)


def inline(text: str) -> str:
    """Return ``text`` as one line of Markdown that shows it as it is."""
    line = _CONTROL.sub(" ", text)
    return _MARKUP.sub(r"\\\1", html.escape(line, quote=False))


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """The release that a new one is compared with, and the recipes of both.

    Recipes are by the text of their digest; of one that is not at hand, only
    that it changed is told.
    """

    release: Release
    recipes: Mapping[str, Recipe]
    newer: Mapping[str, Recipe]


def render(
    release: Release,
    digest: Digest,
    recipes: Mapping[str, Recipe],
    signers: Iterable[str],
    before: Before | None = None,
) -> bytes:
    """Return approval.md for a release.

    ``recipes`` are those carried here, by the text of their digest; ``signers``
    are the ids of the keys that sign. What changed is told since ``before``.
    """
    lines = [*_summary(release, digest, signers), "", *_artifacts(release)]
    if before is not None:
        lines += ["", *_changes(before, release)]
    lines += ["", *_warnings(release)]
    for artifact in release.artifacts:
        lines += ["", *_listing(artifact, recipes.get(artifact.recipe.digest))]
    return "\n".join([*lines, ""]).encode()


def differing_line(
    document: bytes,
    release: Release,
    digest: Digest,
    recipes: Mapping[str, Recipe],
    signers: Iterable[str],
    before: Before | None = None,
) -> int | None:
    """Return the first line of ``document`` that ``render`` would not write.

    None where it would write all of it. ``recipes`` are those of every artifact:
    which of them travelled with the document is not asked. What changed is checked
    where ``before`` is the release that the document tells it since, and passed over
    where that is not known.
    """
    at = 0
    for pieces in _pieces(release, digest, recipes, signers, before):
        if pieces is None:
            end = document.find(b"\n## Warnings\n", at)
            if document.startswith(b"## What changed\n", at) and end >= 0:
                at = end + 1
            continue
        fitting = [piece for piece in pieces if document.startswith(piece, at)]
        if not fitting:
            rest = document[at:]
            most = max(_common(rest, piece) for piece in pieces)
            return document.count(b"\n", 0, at + most) + 1
        at += max(map(len, fitting))
    return None if at == len(document) else document.count(b"\n", 0, at) + 1


def _pieces(
    release: Release,
    digest: Digest,
    recipes: Mapping[str, Recipe],
    signers: Iterable[str],
    before: Before | None,
) -> Iterator[tuple[bytes, ...] | None]:
    """Yield what each part of the document may be; None for what is not known."""
    # Who signed is told by whoever wrote the document; others may have signed since.
    together = [*signers]
    rest = ["", *_artifacts(release), ""]
    yield tuple(
        _text([*_summary(release, digest, some), *rest])
        for some in (together, *([one] for one in together))
    )
    if before is None:
        yield None
    else:
        yield b"", _text([*_changes(before, release), ""])
    yield (_text(_warnings(release)),)
    for artifact in release.artifacts:
        recipe = recipes.get(artifact.recipe.digest)
        # The longer one of the two, where both fit, is the one that was meant.
        yield tuple(_text(["", *_listing(artifact, each)]) for each in (recipe, None))


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _common(one: bytes, other: bytes) -> int:
    return next(
        (
            at
            for at, pair in enumerate(zip(one, other, strict=False))
            if pair[0] != pair[1]
        ),
        min(len(one), len(other)),
    )


def _summary(release: Release, digest: Digest, signers: Iterable[str]) -> Iterator[str]:
    audience = ", ".join(release.audience) or "every site"
    yield f"# {inline(release.stream.name)}, release {release.seq}"
    yield ""
    yield f"- Stream: `{release.stream.id}`"
    yield f"- Release: `{digest}`"
    yield f"- Follows: `{release.prev}`"
    yield f"- For: {inline(audience)}"
    yield f"- Created: {release.created}; expires: {release.expires or 'never'}"
    yield f"- Signed by: {', '.join(f'`{keyid}`' for keyid in signers)}"
    budgets = release.budgets
    yield f"- Unpacked: {size_text(budgets.bytes)} in {budgets.files:,} files"


def _artifacts(release: Release) -> Iterator[str]:
    yield "## Artifacts"
    yield ""
    yield "| kind | name | revision | files | size | licence | source |"
    yield "|---|---|---|---:|---:|---|---|"
    for artifact in release.artifacts:
        cells = (
            artifact.kind,
            artifact.name,
            artifact.revision,
            f"{artifact.files:,}",
            size_text(artifact.bytes),
            artifact.licence or "not stated",
            artifact.source,
        )
        yield f"| {' | '.join(inline(cell) for cell in cells)} |"


def _changes(before: Before, release: Release) -> Iterator[str]:
    older = before.release
    yield "## What changed"
    yield ""
    yield f"Since release {older.seq}, `{release.prev}`:"
    yield ""
    changes = compare(
        (Entry.of(one, before.recipes) for one in older.artifacts),
        (Entry.of(one, before.newer) for one in release.artifacts),
    )
    differing = [change for change in changes if change.state != SAME]
    for change in differing:
        yield f"- {_change(change)}"
    if not differing:
        yield "Nothing: the same artifacts with the same files."
    for change in differing:
        if change.before is not None and change.after is not None and change.is_known:
            yield from _changed_files(change)


def _change(change: Change) -> str:
    """Return one line about an artifact that is not the same."""
    entry = change.entry
    name = f"**{change.state}**: {inline(entry.kind)} {inline(entry.name)}"
    if change.before is None or change.after is None:
        return f"{name}, {_files(entry.files or 0)}, {size_text(entry.bytes or 0)}"
    revisions = [inline(one.revision) for one in (change.before, change.after)]
    if revisions[0] != revisions[1]:
        name += f", revision {revisions[0]} → {revisions[1]}"
    tally = change.tally()
    return f"{name}, {'files not known here' if tally is None else _tally(tally)}"


def _tally(tally: Tally) -> str:
    return (
        f"{_files(tally.added_files)} added ({size_text(tally.added_bytes)}), "
        f"{tally.removed_files:,} removed ({size_text(tally.removed_bytes)}), "
        f"{tally.changed_files:,} changed ({size_text(tally.changed_bytes)})"
    )


def _files(count: int) -> str:
    return f"{count:,} file" if count == 1 else f"{count:,} files"


def _changed_files(change: Change) -> Iterator[str]:
    """List the files of an artifact that are not the same on both sides."""
    yield ""
    yield f"### Files of {inline(change.entry.kind)} {inline(change.entry.name)}"
    yield ""
    yield "| change | file | bytes before | bytes after |"
    yield "|---|---|---:|---:|"
    files = change.files()
    for file in islice(files, LISTED):
        before = "" if file.before is None else file.before
        after = "" if file.after is None else file.after
        yield f"| {file.state} | {inline(file.path)} | {before} | {after} |"
    more = sum(1 for _ in files)
    if more:
        yield ""
        yield f"… and {more:,} more files."


def _warnings(release: Release) -> Iterator[str]:
    yield "## Warnings"
    yield ""
    found = False
    for artifact in release.artifacts:
        for warning in artifact.warnings:
            found = True
            yield f"- **{inline(artifact.name)}**: {inline(warning)}"
    if not found:
        yield "None."


def _listing(artifact: Artifact, recipe: Recipe | None) -> Iterator[str]:
    yield f"## {inline(artifact.kind)} {inline(artifact.name)}"
    yield ""
    yield f"Recipe `{artifact.recipe.digest}`"
    yield ""
    for note in artifact.notes:
        yield f"- {inline(note)}"
    if artifact.notes:
        yield ""
    if recipe is None:
        yield "Not carried in this bundle; the same as in an earlier release."
        return
    yield "| file | bytes | SHA-256 |"
    yield "|---|---:|---|"
    count = len(recipe.sizes)
    for index in range(min(count, LISTED)):
        size = int(recipe.sizes[index])
        sha256 = recipe.sha256[index].tobytes().hex()
        yield f"| {inline(recipe.path(index))} | {size} | `{sha256}` |"
    if count > LISTED:
        yield ""
        yield f"… and {count - LISTED:,} more files, in the recipe."


def size_text(count: int) -> str:
    """Return a number of bytes in the largest binary unit that it reaches."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < KIB:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= KIB
    return f"{size:.1f} TiB"
