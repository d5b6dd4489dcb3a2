r"""approval.md: what a reviewer reads before the bundle may travel (spec §4.6).

Everything in it is taken from the release and its recipes, so that a receiver
can write it again and compare. Text that comes from a source is kept to one
line and cannot become markup.

>>> print(inline("a|b <script>"))
a\|b &lt;script&gt;
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

from bundle.limits import KIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bundle.digest import Digest
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


def render(
    release: Release,
    digest: Digest,
    recipes: Mapping[str, Recipe],
    signers: Iterable[str],
) -> bytes:
    """Return approval.md for a release.

    ``recipes`` are those carried here, by the text of their digest; ``signers``
    are the ids of the keys that sign.
    """
    lines = [*_summary(release, digest, signers), "", *_artifacts(release)]
    lines += ["", *_warnings(release)]
    for artifact in release.artifacts:
        lines += ["", *_listing(artifact, recipes.get(artifact.recipe.digest))]
    return "\n".join([*lines, ""]).encode()


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
    yield f"- Unpacked: {_size(budgets.bytes)} in {budgets.files:,} files"


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
            _size(artifact.bytes),
            artifact.licence or "not stated",
            artifact.source,
        )
        yield f"| {' | '.join(inline(cell) for cell in cells)} |"


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


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < KIB:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= KIB
    return f"{size:.1f} TiB"
