"""``bundle approve``: what a second person is shown, and the signature they give.

Nothing on the medium is believed but what the packers signed: the document is
written again from the release and the recipes, and one on the medium that says
anything else is an alarm. What is signed is the release, by its payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.digest import digest_of
from bundle.durable import make_directory
from bundle.errors import ExistsError, FormatError, MissingError, TrustError
from bundle.format import layout
from bundle.format.approval import Before, differing_line, render
from bundle.format.difference import Change, Entry, compare
from bundle.format.release import Release
from bundle.limits import MAX_APPROVAL, MAX_DETACHED_SIGNATURE, MAX_ENVELOPE
from bundle.medium.files import read_whole
from bundle.medium.reader import OpenBundle, open_bundle
from bundle.state import audit
from bundle.state.approvals import Approved, approved_in
from bundle.state.files import create_file, read_bounded
from bundle.trust.envelope import (
    RELEASE_TYPE,
    pae,
    parse,
    parse_detached,
    sign_detached,
)
from bundle.trust.roles import APPROVER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bundle.format.recipe import Recipe
    from bundle.state.receiver import TrustChoice
    from bundle.trust.keys import PrivateKey


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """A release as it is shown to whoever may approve it.

    ``before`` is the last one that was approved here, None for the first;
    ``document`` is approval.md written again. ``unchecked`` says that its part on
    what changed could not be, since the release before it is not known here.
    """

    opened: OpenBundle
    payload: bytes
    envelope: bytes
    before: Release | None
    changes: tuple[Change, ...]
    document: bytes
    recipes: Mapping[str, Recipe]
    unchecked: bool


def review(
    bundle: Path, choice: TrustChoice, clock: float, beside: Sequence[Path] = ()
) -> Review:
    """Return what there is to approve in the directory ``bundle``; writes nothing.

    Raises:
        MissingError: it is unfinished, or the recipe of an artifact is nowhere.
        FormatError, IntegrityError: it is damaged.
        TrustError: its packers are not trusted here, or approval.md is not what
            the release and its recipes say.
    """
    opened = open_bundle(bundle, choice, clock, keep=False, judged=False, beside=beside)
    known = approved_in(choice.state)
    recipes = _recipes(opened, known)
    data = read_whole(bundle / layout.RELEASE, MAX_ENVELOPE)
    envelope = parse(data, limit=MAX_ENVELOPE)
    if digest_of(envelope.payload) != opened.digest:
        raise TrustError(f"{layout.RELEASE} changed while it was read", rule="26.1.3")
    payload = known.last(opened.release.stream.id)
    before = None if payload is None else Release.parse(payload)
    told = None
    if before is not None and payload is not None:
        older = _on_shelf(before, known)
        follows = opened.release.prev == str(digest_of(payload))
        if follows and len(older) == len({a.recipe.digest for a in before.artifacts}):
            told = Before(before, older, recipes)
    signers = [one.keyid for one in envelope.signatures]
    _compare(bundle, opened, recipes, signers, told)
    return Review(
        opened=opened,
        payload=envelope.payload,
        envelope=data,
        before=before,
        changes=_changes(before, opened.release, known, recipes),
        document=render(opened.release, opened.digest, recipes, signers, told),
        recipes=recipes,
        unchecked=told is None and opened.release.prev != "genesis",
    )


def approve(
    review: Review, key: PrivateKey, to: Path, state: Path, clock: float
) -> Path:
    """Sign the release that was reviewed; return the file, durable.

    ``to`` is a directory, such as the medium's ``sig/``. What was approved is
    remembered in ``state``, and the log says so.

    Raises:
        TrustError: the key is no approver's, or packed this release.
        ExistsError: there is another file of that name.
        TargetError: it could not be written.
    """
    opened, public = review.opened, key.public
    role = opened.trust.roles.by_name.get(APPROVER)
    if role is None or public not in role.keys:
        raise TrustError(
            f"roles {opened.trust.roles.version} do not let the key "
            f"{public.keyid[:16]} approve",
            rule="22.7.3",
            advice="where the root key is: bundle trust role add approver "
            f"{public.raw.hex()}",
        )
    if public.keyid in opened.verification.signed:
        raise TrustError("who packed a release does not approve it", rule="22.7.3")
    data = sign_detached(review.payload, RELEASE_TYPE, key)
    path = to / f"{public.keyid}.json"
    audit.append(
        state,
        "approved",
        clock,
        stream=opened.release.stream.id,
        name=opened.release.stream.name,
        number=opened.release.seq,
        release=str(opened.digest),
        key=public.keyid,
    )
    make_directory(to)
    try:
        create_file(path, data, mode=0o644)
    except ExistsError:
        if not _is_good(path, review, key):
            raise
    approved_in(state).remember(
        opened.release, review.envelope, _carried(opened, review.recipes)
    )
    return path


def _compare(
    bundle: Path,
    opened: OpenBundle,
    recipes: Mapping[str, Recipe],
    signers: Sequence[str],
    told: Before | None,
) -> None:
    """Refuse a document that says anything else than the release (rule 22.7.1)."""
    document = read_whole(bundle / layout.APPROVAL, MAX_APPROVAL)
    opened.manifest.approval.check(document, layout.APPROVAL)
    line = differing_line(
        document, opened.release, opened.digest, recipes, signers, told
    )
    if line is not None:
        raise TrustError(
            f"ALARM: line {line} of {layout.APPROVAL} on the medium is not what the "
            "release and its recipes say",
            rule="22.7.1",
            advice="approve nothing; find out who wrote it: the packer signed it",
        )


def _recipes(opened: OpenBundle, known: Approved) -> dict[str, Recipe]:
    """Return the recipes of all artifacts, off the medium or approved before."""
    found = dict(opened.recipes)
    for artifact in opened.release.artifacts:
        digest = artifact.recipe.digest
        recipe = found.get(digest) or known.shelf.get(digest)
        if recipe is None:
            raise MissingError(
                f"{artifact.kind} {artifact.name}: its recipe is neither in this "
                "bundle nor of a release that was approved here",
                advice="approve a bundle that carries it first",
            )
        artifact.check_recipe(recipe, opened.release.budgets)
        found[digest] = recipe
    return found


def _on_shelf(release: Release, known: Approved) -> dict[str, Recipe]:
    digests = {artifact.recipe.digest for artifact in release.artifacts}
    found = ((digest, known.shelf.get(digest)) for digest in digests)
    return {digest: recipe for digest, recipe in found if recipe is not None}


def _changes(
    before: Release | None,
    after: Release,
    known: Approved,
    recipes: Mapping[str, Recipe],
) -> tuple[Change, ...]:
    older = () if before is None else before.artifacts
    shelf = {} if before is None else _on_shelf(before, known)
    return tuple(
        compare(
            (Entry.of(one, shelf) for one in older),
            (Entry.of(one, recipes) for one in after.artifacts),
        )
    )


def _carried(opened: OpenBundle, recipes: Mapping[str, Recipe]) -> list[bytes]:
    return [
        bytes(recipes[digest].data)
        for digest in {one.recipe.digest for one in opened.release.artifacts}
    ]


def _is_good(path: Path, review: Review, key: PrivateKey) -> bool:
    """Return whether the file at ``path`` is an approval of this release already."""
    try:
        found = parse_detached(
            read_bounded(path, MAX_DETACHED_SIGNATURE, rule="20.4.1")
        )
    except FormatError:
        return False
    return key.public.verifies(found.raw, pae(RELEASE_TYPE, review.payload))
