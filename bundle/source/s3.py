"""``s3://BUCKET/PREFIX?layout=…`` as a source: what a bucket holds for its readers.

Both layouts of spec chapter 92 are read, whoever wrote them. What is wanted is
brought into a directory of the user's cache first, then listed like any other.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from bundle.errors import FormatError, SourceError, TargetError, UsageError
from bundle.paths import check_path
from bundle.s3.address import parse_address
from bundle.s3.client import S3Client
from bundle.source.base import TREE, Source
from bundle.source.hf_cache import HfCacheSource
from bundle.source.hf_names import RepositoryName
from bundle.source.s3_mirror import Mirror
from bundle.source.tree import TreeSource, tree_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bundle.s3.address import Address
    from bundle.source.base import SourceArtifact
    from bundle.source.options import SourceOptions

SNAPSHOTS: Final = "hf-snapshots"
FLAT: Final = "flat"

_OPTIONS: Final = frozenset({"layout", "generation"})
_OURS: Final = ".bundle/"
_REFS: Final = ".bundle/refs/"
_HUB: Final = "hub/"
_TREES: Final = "trees/"
_COMMIT: Final = "[0-9a-f]{40}"
_SNAPSHOT: Final = re.compile(rf"([^/]+)/(snapshots/{_COMMIT}/.+|refs/.+)")
_REVISION: Final = re.compile(
    rf"(?:(datasets|spaces|kernels)/)?((?:[^/]+/)?[^/]+)/({_COMMIT})/(.+)"
)


class S3Source(Source):
    """Brings what is below a prefix here, and lists it."""

    def __init__(
        self, address: Address, layout: str, location: str, options: SourceOptions
    ) -> None:
        self.location = location
        self._address = address
        self._layout = layout
        self._options = options
        endpoint = options.s3.endpoint or "aws"
        name = blake3(f"{endpoint} {address} {layout}".encode()).hexdigest(length=8)
        self._root = _cache(options.environment) / "bundle" / "buckets" / name

    async def artifacts(self) -> list[SourceArtifact]:
        """Return everything below the prefix that is wanted.

        Raises:
            SourceError: there is nothing, it cannot be read, or it is not what it
                says it is.
            StoreError: the endpoint does not answer.
        """
        try:
            async with S3Client(self._address.bucket, self._options.s3) as client:
                wanted = await self._wanted(client)
                await Mirror(client, self._root).fetch(wanted)
        except TargetError as error:
            raise SourceError(str(error), advice=error.advice) from error
        if not wanted:
            raise SourceError(
                f"{self.location}: nothing of it is wanted, or there is nothing",
                advice="check the prefix, layout=, --include and --exclude",
            )
        listing = self._options.listing
        found: list[SourceArtifact] = []
        if any(path.startswith(_HUB) for path in wanted):
            hub = HfCacheSource(self._root / "hub", (), options=listing)
            found += await hub.artifacts()
        trees = {path.split("/")[1] for path in wanted if path.startswith(_TREES)}
        for name in sorted(trees):
            tree = TreeSource(self._root / "trees" / name, options=listing)
            found += await tree.artifacts()
        found.sort(key=lambda one: (one.kind, one.name))
        return [replace(one, source=self.location) for one in found]

    async def _wanted(self, client: S3Client) -> dict[str, str]:
        """Return the keys of wanted objects by the paths of their files here."""
        home = self._address.key("")
        wanted: dict[str, str] = {}
        async for one in client.list(home):
            path = one.key.removeprefix(home)
            local = _snapshot(path) if self._layout == SNAPSHOTS else _flat(path)
            if local is None or path.endswith("/"):
                continue
            try:
                check_path(local, rule="2.3.1")
            except FormatError as error:
                raise SourceError(
                    f"{client.place(one.key)}: {error}",
                    advice="leave it out with --exclude, or give it another key",
                ) from None
            if self._takes(local):
                wanted[local] = one.key
        return wanted

    def _takes(self, local: str) -> bool:
        """Return whether the options want the file that will be at ``local``."""
        area, first, path = local.split("/", 2)
        if area == "trees":
            return self._options.listing.takes(TREE, tree_name(first), path)
        repository = RepositoryName.of_directory(first)
        return repository is not None and self._options.listing.takes(
            repository.kind, repository.name, path
        )


def s3_source(text: str, options: SourceOptions) -> S3Source:
    """Return the source that ``s3://BUCKET/PREFIX?layout=…`` names.

    Raises:
        UsageError: it names none.
    """
    address = parse_address(text, _OPTIONS)
    layout = address.options.get("layout", "")
    if layout not in (SNAPSHOTS, FLAT):
        raise UsageError(
            f"{text!r}: how do things lie there?",
            advice="write ?layout=hf-snapshots or ?layout=flat after the prefix",
        )
    generation = address.options.get("generation")
    if generation:
        address = replace(address, prefix=address.key(generation))
    return S3Source(address, layout, text, options)


def _snapshot(path: str) -> str | None:
    """Return where an object of layout hf-snapshots goes, None where it stays.

    >>> _snapshot("models--gpt2/refs/main")
    'hub/models--gpt2/refs/main'
    """
    found = _SNAPSHOT.fullmatch(path)
    if found is None or RepositoryName.of_directory(found[1]) is None:
        return None
    return f"{_HUB}{path}"


def _flat(path: str) -> str | None:
    """Return where an object of layout flat goes, None where it stays.

    >>> _flat("datasets/org/name/" + "0" * 40 + "/a/b")
    'hub/datasets--org--name/snapshots/0000000000000000000000000000000000000000/a/b'
    >>> _flat("tools/bin/x")
    'trees/tools/bin/x'
    """
    if path.startswith(_REFS):
        folder, _, ref = path.removeprefix(_REFS).partition("/")
        return f"{_HUB}{folder}/refs/{ref}" if ref else None
    if path.startswith(_OURS) or "/" not in path:
        return None
    found = _REVISION.fullmatch(path)
    if found is None:
        return f"{_TREES}{path}"
    folder = f"{found[1] or 'models'}--{found[2].replace('/', '--')}"
    return f"{_HUB}{folder}/snapshots/{found[3]}/{found[4]}"


def _cache(environment: Mapping[str, str]) -> Path:
    """Return the directory of this user's caches (XDG)."""
    named = environment.get("XDG_CACHE_HOME")
    if named:
        return Path(named).expanduser()
    return Path(environment.get("HOME") or "~").expanduser() / ".cache"
