"""What ``bundle diff`` compares: bundles, releases, receipts and targets.

A receipt and a target speak of several streams; each side is therefore a list of
candidates, the newest first, and the two that are compared are of one stream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.digest import digest_of
from bundle.errors import MissingError, TrustError, UsageError
from bundle.format.difference import Entry
from bundle.format.layout import MANIFEST
from bundle.format.release import Release
from bundle.limits import MAX_ENVELOPE, MAX_RECEIPT, MAX_TRUST_FILE
from bundle.medium.files import is_there, names_on, read_whole
from bundle.medium.reader import read_trust
from bundle.packing.base import read_base, read_release
from bundle.packing.history import recall
from bundle.state.receiver import TrustChoice, load_trust
from bundle.state.sender import streams_in
from bundle.trust.chain import file_versions
from bundle.trust.envelope import RECEIPT_TYPE, parse
from bundle.trust.receipts import read_receipt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bundle.cli.output import Output
    from bundle.format.receipt import HeldRelease
    from bundle.format.recipe import Recipe
    from bundle.state.sender import SenderStream
    from bundle.target.base import Target
    from bundle.trust.chain import Trust
    from bundle.trust.roles import Roles

_TARGET: Final = re.compile(r"(hf-home|hf-cache|tree|oci-layout|oci-archive|docker):")


@dataclass(frozen=True, slots=True)
class Side:
    """One release, or what is left of it at a target.

    ``stream`` is an id; ``digest`` names the release, None where there is none.
    """

    described: str
    stream: str | None
    seq: int | None
    digest: str | None
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """Reads sides as this person may: with this trust and this state."""

    choice: TrustChoice
    now: float
    output: Output

    def read(self, text: str) -> list[Side]:
        """Return the candidates of one side, the newest of each stream first.

        Raises:
            UsageError: it is nothing that can be compared.
            MissingError: it is not there, or what it names is not known here.
            FormatError, IntegrityError, TrustError: it is not to be believed.
        """
        if _TARGET.match(text):
            return self._target(text)
        path = Path(text)
        if path.is_dir():
            return [self._bundle(path)]
        if not is_there(path):
            raise MissingError(f"{path}: there is nothing here")
        if parse(read_whole(path, MAX_ENVELOPE), limit=MAX_ENVELOPE).payload_type == (
            RECEIPT_TYPE
        ):
            return self._receipt(path)
        return [self._release(path)]

    def _bundle(self, path: Path) -> Side:
        if not is_there(path / MANIFEST):
            raise MissingError(
                f"{path}: there is no {MANIFEST} here",
                advice="name a bundle's own directory, or a target as tree:PATH",
            )
        base = read_base(path, self._trust(read_trust(path)))
        return self._side(f"{path.name}", base.release, base.digest, base.recipes)

    def _release(self, path: Path) -> Side:
        payload = read_release(path, self._trust(read_trust(path.parent)))
        release, digest = Release.parse(payload), str(digest_of(payload))
        return self._side(f"{path.name}", release, digest, {})

    def _receipt(self, path: Path) -> list[Side]:
        """Return what a receipt names, as far as it was packed here."""
        read = read_receipt(read_whole(path, MAX_RECEIPT), self._roles())
        for warning in read.warnings:
            self.output.warn(warning)
        streams = {stream.id: stream for stream in streams_in(self.choice.state)}
        sides = [
            self._past(streams[held.id], release, f"site {read.receipt.site}")
            for held in read.receipt.streams
            if held.id in streams
            for release in held.releases
        ]
        known = [side for side in sides if side is not None]
        if not known and any(held.releases for held in read.receipt.streams):
            raise MissingError(
                f"{path.name}: what it names was not packed here",
                advice="compare it where the releases were packed, or check --state",
            )
        return known or [_nothing(f"site {read.receipt.site}")]

    def _past(
        self, stream: SenderStream, held: HeldRelease, described: str
    ) -> Side | None:
        past = recall(stream, held.seq)
        if past is None or past.digest != held.digest:
            return None
        return self._side(described, past.release, past.digest, {})

    def _side(
        self,
        described: str,
        release: Release,
        digest: str,
        carried: Mapping[str, Recipe],
    ) -> Side:
        recipes = dict(carried)
        shelves = [
            stream.shelf
            for stream in streams_in(self.choice.state)
            if stream.id == release.stream.id
        ]
        for artifact in release.artifacts:
            name = artifact.recipe.digest
            for shelf in shelves if name not in recipes else ():
                recipe = shelf.get(name)
                if recipe is not None:
                    recipes[name] = recipe
        return Side(
            described=f"{described}, release {release.seq} of {release.stream.name}",
            stream=release.stream.id,
            seq=release.seq,
            digest=digest,
            entries=tuple(Entry.of(one, recipes) for one in release.artifacts),
        )

    def _target(self, text: str) -> list[Side]:
        from bundle.target.locate import parse_target
        from bundle.target.options import TargetOptions

        target = parse_target(
            text, TargetOptions(staging=self.choice.state / "targets")
        )
        newest = {one.stream: one for one in target.ledger.releases()}
        return [
            Side(
                described=f"{target.location}, release {one.seq} of {one.name}",
                stream=one.stream,
                seq=one.seq,
                digest=one.digest,
                entries=tuple(
                    _published(target, given.kind, given.name, given.recipe)
                    for given in one.artifacts
                    if target.takes(given.kind)
                ),
            )
            for one in newest.values()
        ] or [_nothing(target.location)]

    def _trust(self, files: Mapping[str, bytes]) -> Trust:
        trust = load_trust(self.choice, files, self.now, keep=False)
        for warning in trust.warnings:
            self.output.warn(warning)
        return trust

    def _roles(self) -> Roles | None:
        """Return what says whose key a site's is, None where nothing is trusted."""
        files: dict[str, bytes] = {}
        if self.choice.root is not None:
            directory = self.choice.root.parent
            names = names_on(directory)
            for kind in ("root", "roles"):
                for version in file_versions(names, kind):
                    name = f"{version}.{kind}.json"
                    files[name] = read_whole(directory / name, MAX_TRUST_FILE)
        try:
            return self._trust(files).roles
        except TrustError:
            return None


def pair(before: Sequence[Side], after: Sequence[Side]) -> tuple[Side, Side]:
    """Return the two that are compared: the newest of one stream.

    Raises:
        UsageError: it is not clear which they are.
    """
    for old in before:
        for new in after:
            if old.stream == new.stream:
                return old, new
    streams = [{side.stream for side in sides} for sides in (before, after)]
    if any(len(found) > 1 for found in streams):
        names = ", ".join(side.described for side in (*before, *after))
        raise UsageError(
            f"which are to be compared? {names}",
            advice="name a bundle or a release of one of these streams",
        )
    return before[0], after[0]


def _nothing(described: str) -> Side:
    return Side(f"{described}, nothing", None, None, None, ())


def _published(target: Target, kind: str, name: str, digest: str) -> Entry:
    recipe = target.ledger.recipe(digest)
    return Entry(
        kind=kind,
        name=name,
        revision="",
        digest=digest,
        files=None if recipe is None else recipe.files,
        bytes=None if recipe is None else recipe.total,
        recipe=recipe,
    )
