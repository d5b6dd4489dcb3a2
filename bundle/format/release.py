"""Releases: what a stream holds at one number (spec §8).

The payload of release.json is an in-toto statement whose subjects are the
recipes and whose predicate is the ``Release``. The digest of a release is that
of its payload bytes: keep those, since parsing drops members it does not know.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Self

import msgspec

from bundle.digest import Digest, digest_of
from bundle.errors import FormatError, IntegrityError, LimitError
from bundle.format.columns import FORMAT
from bundle.format.descriptor import RECIPE, Descriptor
from bundle.format.features import KNOWN, Features, check_head
from bundle.format.fields import check_count, check_text
from bundle.limits import (
    MAX_ENVELOPE,
    MAX_NAME,
    MAX_PATH_DEPTH,
    MAX_RECIPES,
)
from bundle.oci.references import Reference
from bundle.paths import check_path, check_slug, collision_key
from bundle.wire import convert, parse_json, read_moment, write_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from bundle.format.recipe import Recipe

OCI_KINDS: Final = ("helm-chart", "oci-artifact", "oci-image")
"""The kinds that are image layouts, called by references (spec §90)."""

KINDS: Final = ("hf-model", "hf-dataset", "hf-space", "hf-kernel", "tree", *OCI_KINDS)
"""The kinds of artifact that format 1 gives a meaning to."""

GENESIS: Final = "genesis"
"""What stands for the release before the first."""

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "urn:bundle:release:v1"

_STREAM_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Stream(msgspec.Struct, frozen=True):
    """A line of releases: a random id of 128 bits, and a name as its label."""

    id: str
    name: str

    def __post_init__(self) -> None:
        if _STREAM_ID.fullmatch(self.id) is None:
            raise FormatError(f"not a stream id: {self.id[:40]!r}", rule="8.3.1")
        check_slug(self.name, rule="8.3.2")


class TrustVersion(msgspec.Struct, frozen=True):
    """The versions of the root and the roles that the release was signed under."""

    root: int
    roles: int

    def __post_init__(self) -> None:
        check_count(self.root, rule="8.3.6", least=1)
        check_count(self.roles, rule="8.3.6", least=1)


class Artifact(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One thing the stream holds; ``bytes``, ``files`` and ``chunks`` of its recipe.

    ``source`` and ``revision`` say where it came from, ``licence`` what its
    source calls its licence, ``warnings`` what a reviewer should know, ``notes``
    what else is worth telling, such as the platforms of an image.
    """

    kind: str
    name: str
    source: str
    revision: str
    recipe: Descriptor
    bytes: int
    files: int
    chunks: int
    licence: str | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_slug(self.kind, rule="8.4.1")
        if self.kind in OCI_KINDS:
            Reference.parse(self.name, rule="90.1.1")
        else:
            check_path(self.name, rule="8.4.2")
        self.recipe.check_type(RECIPE, rule="8.4.3")
        for count in (self.bytes, self.files, self.chunks):
            check_count(count, rule="8.4.4")
        more = (*self.warnings, *self.notes)
        for text in (self.source, self.revision, self.licence or "", *more):
            check_text(text, rule="8.4.5")

    @property
    def key(self) -> tuple[str, str]:
        """What no two artifacts of a release share (rule 8.4.6)."""
        is_reference = self.kind in OCI_KINDS
        return self.kind, self.name if is_reference else collision_key(self.name)

    def check_recipe(self, recipe: Recipe, budgets: Budgets) -> None:
        """Refuse a recipe that holds anything else than the release promises.

        Raises:
            IntegrityError: a count differs.
            LimitError: a path is deeper or a name longer than the budget.
        """
        promised = (self.bytes, self.files, self.chunks)
        found = (recipe.total, recipe.files, recipe.chunks)
        if promised != found:
            raise IntegrityError(
                f"{self.kind} {self.name}: the recipe has bytes, files and chunks "
                f"{found}, the release says {promised}",
                rule="8.4.7",
            )
        if recipe.depth > budgets.depth or recipe.name_bytes > budgets.name_bytes:
            raise LimitError(
                f"{self.kind} {self.name}: a path is over the release's budget",
                rule="8.5.3",
            )


class Budgets(msgspec.Struct, frozen=True, rename="camel"):
    """What unpacking the whole release takes.

    ``depth`` is the most components of a path and ``name_bytes`` the most bytes
    of a component; the others are the sums over the artifacts.
    """

    bytes: int
    files: int
    chunks: int
    depth: int
    name_bytes: int

    @classmethod
    def of(
        cls, artifacts: Collection[Artifact], *, depth: int = 0, name_bytes: int = 0
    ) -> Self:
        """Return the budgets of ``artifacts``."""
        return cls(
            sum(artifact.bytes for artifact in artifacts),
            sum(artifact.files for artifact in artifacts),
            sum(artifact.chunks for artifact in artifacts),
            depth,
            name_bytes,
        )


class Release(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The complete state of a stream at number ``seq``."""

    format: int = FORMAT
    features: Features = Features()
    stream: Stream
    seq: int
    prev: str
    audience: tuple[str, ...]
    created: str
    expires: str | None
    trust_version: TrustVersion
    artifacts: tuple[Artifact, ...]
    budgets: Budgets

    def __post_init__(self) -> None:
        _check_place(self)
        _check_dates(self)
        _check_artifacts(self.artifacts)
        _check_budgets(self.budgets, self.artifacts)

    @classmethod
    def parse(cls, payload: bytes, *, known: Collection[str] = KNOWN) -> Self:
        """Return the release in the payload of release.json.

        Raises:
            LimitError: it asks for more than a reader allows.
            FormatError: rules 2.5 and 8; a required feature is not in ``known``.
        """
        document = parse_json(payload, limit=MAX_ENVELOPE, rule="2.5")
        head = convert(document, _Head, rule="8.1.1")
        if head.type_ != STATEMENT or head.predicate_type != PREDICATE:
            raise FormatError(
                f"not a release but {head.predicate_type[:60]!r}", rule="8.1.1"
            )
        check_head(head.predicate, known, noun="release")
        release = convert(head.predicate, cls, rule="8.1.2")
        if convert(head.subject, tuple[_Subject, ...], rule="8.1.3") != _subjects(
            release.artifacts
        ):
            raise FormatError("the subjects are not the artifacts", rule="8.1.3")
        return release

    def serialize(self) -> bytes:
        """Return the payload of release.json."""
        return write_json(
            {
                "_type": STATEMENT,
                "subject": _subjects(self.artifacts),
                "predicateType": PREDICATE,
                "predicate": self,
            }
        )

    @property
    def contents(self) -> Digest:
        """What the volumes of every bundle of this release name (spec §8.6)."""
        return digest_of(b"".join(artifact.recipe.raw for artifact in self.artifacts))


class _Subject(msgspec.Struct, frozen=True):
    name: str
    digest: dict[str, str]


class _Head(msgspec.Struct, rename="camel"):
    subject: object
    predicate_type: str
    predicate: object
    type_: str = msgspec.field(name="_type")


def _subjects(artifacts: Collection[Artifact]) -> tuple[_Subject, ...]:
    return tuple(
        _Subject(
            f"{artifact.kind}/{artifact.name}", {"blake3": artifact.recipe.raw.hex()}
        )
        for artifact in artifacts
    )


def _check_place(release: Release) -> None:
    """Check the place in the stream and who the release is for."""
    check_count(release.seq, rule="8.3.3", least=1)
    if release.prev != GENESIS:
        if release.seq == 1:
            raise FormatError(
                f"release 1 cannot follow {release.prev[:80]!r}", rule="8.3.4"
            )
        Digest.parse(release.prev)
    for site in release.audience:
        check_slug(site, rule="8.3.5")
    if len(set(release.audience)) != len(release.audience):
        raise FormatError("a site is in the audience twice", rule="8.3.5")


def _check_dates(release: Release) -> None:
    created = read_moment(release.created, rule="8.3.7")
    if release.expires is not None and (
        read_moment(release.expires, rule="8.3.7") <= created
    ):
        raise FormatError("the release expires before it is created", rule="8.3.8")


def _check_artifacts(artifacts: tuple[Artifact, ...]) -> None:
    if len(artifacts) > MAX_RECIPES:
        raise LimitError(f"{len(artifacts)} artifacts", rule="8.4.8")
    names = [(artifact.kind, artifact.name) for artifact in artifacts]
    for before, after in pairwise(names):
        if before >= after:
            raise FormatError(
                f"artifact {after} is not above the one before it", rule="8.4.6"
            )
    if len({artifact.key for artifact in artifacts}) != len(names):
        raise FormatError("the names of two artifacts collide", rule="8.4.6")


def _check_budgets(budgets: Budgets, artifacts: tuple[Artifact, ...]) -> None:
    sums = Budgets.of(artifacts, depth=budgets.depth, name_bytes=budgets.name_bytes)
    if budgets != sums:
        raise FormatError("the budgets are not the sums of the artifacts", rule="8.5.1")
    for count in (budgets.bytes, budgets.files, budgets.chunks):
        check_count(count, rule="8.5.1")
    if not (
        0 <= budgets.depth <= MAX_PATH_DEPTH and 0 <= budgets.name_bytes <= MAX_NAME
    ):
        raise LimitError(
            f"paths of {budgets.depth} levels or names of {budgets.name_bytes} bytes",
            rule="8.5.2",
        )
