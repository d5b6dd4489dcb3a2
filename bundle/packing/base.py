"""A bundle that the next one builds on: its envelopes and recipes, not its volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.digest import digest_of
from bundle.errors import IntegrityError
from bundle.format import layout
from bundle.format.manifest import Manifest
from bundle.format.recipe import Recipe
from bundle.format.recipes import Recipes
from bundle.format.release import Release
from bundle.limits import MAX_ENVELOPE
from bundle.medium.files import read_whole
from bundle.trust import envelope
from bundle.trust.roles import PACKER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bundle.trust.chain import Trust


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A verified bundle: its release, and the recipes it carries by digest."""

    release: Release
    digest: str
    recipes: Mapping[str, Recipe]


def read_base(path: Path, trust: Trust) -> Base:
    """Return the bundle in the directory ``path``, signed by the trusted packers.

    Whether it may be applied anywhere is not asked: neither approvals nor dates,
    audience and order in the stream are looked at.

    Raises:
        MissingError: one of its files is not there.
        FormatError, IntegrityError: it is damaged.
        TrustError: it is not signed by them.
    """
    payload = read_release(path / layout.RELEASE, trust)
    described = trust.verify_manifest(read_whole(path / layout.MANIFEST, MAX_ENVELOPE))
    release, manifest = Release.parse(payload), Manifest.parse(described.payload)
    manifest.release.check(payload, layout.RELEASE)
    manifest.check_release(release)
    data = read_whole(path / layout.RECIPES, manifest.recipes.size)
    manifest.recipes.check(data, layout.RECIPES)
    recipes = Recipes.parse(data)
    if tuple(str(entry.digest) for entry in recipes.entries) != manifest.carried:
        raise IntegrityError("recipes.bdr carries other recipes", rule="9.2.4")
    return Base(
        release=release,
        digest=str(digest_of(payload)),
        recipes={
            str(entry.digest): Recipe.parse(recipes.read(entry))
            for entry in recipes.entries
        },
    )


def read_release(path: Path, trust: Trust) -> bytes:
    """Return the payload of a release.json, signed by the trusted packers.

    Raises:
        MissingError: it is not there.
        FormatError: it is damaged.
        TrustError: it is not signed by them.
    """
    packers = trust.roles.role(PACKER)
    return envelope.verify(
        read_whole(path, MAX_ENVELOPE),
        envelope.RELEASE_TYPE,
        packers.keys,
        packers.threshold,
        limit=MAX_ENVELOPE,
    ).payload
