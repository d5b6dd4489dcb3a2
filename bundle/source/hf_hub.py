"""A repository of the Hugging Face Hub, downloaded into the user's own cache.

The download is the work of ``huggingface_hub`` (extra ``hf``); what it wrote is
then listed like any other cache. ``HF_ENDPOINT``, ``HF_TOKEN``, ``HF_HUB_CACHE``
and ``HF_HOME`` mean what they mean to the library; whatever else it reads, such
as the token of a login, it finds itself. The Hub is asked for the revision
first, and the answer is compared with what was downloaded: the library falls
back to an older snapshot in the cache when the Hub does not answer, and that is
not what was asked for.
"""

from __future__ import annotations

import asyncio
import glob
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bundle.errors import SourceError, TransientError, UsageError
from bundle.source.base import Resolved, Source, SourceArtifact
from bundle.source.filter import EVERYTHING, ListOptions
from bundle.source.hf_cache import HfCacheSource
from bundle.source.hf_names import Selector
from bundle.source.hub_errors import hub_errors
from bundle.source.listing import some

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

DEFAULT_REVISION: Final = "main"


@dataclass(frozen=True, slots=True)
class _Revision:
    """What the Hub says that a revision is: its commit, and the files wanted of it."""

    commit: str
    files: frozenset[str]
    every: bool

    @property
    def patterns(self) -> list[str] | None:
        """What the library has to be told to download just these files."""
        if self.every:
            return None
        return [glob.escape(name) for name in sorted(self.files)]


class HfHubSource(Source):
    """Downloads one revision of one repository and lists it."""

    def __init__(
        self,
        selector: Selector,
        *,
        location: str | None = None,
        options: ListOptions = EVERYTHING,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.location = f"hf://{selector}" if location is None else location
        self._selector = selector
        self._options = options
        self._environment = environment or {}

    async def artifacts(self) -> list[SourceArtifact]:
        """Return the repository, as one artifact.

        Only files that the options want are downloaded.

        Raises:
            SourceError: there is no such repository, revision or wanted file, or
                the Hub does not give it to this user.
            StoreError: the Hub does not answer, or not as it should.
            TargetError: the cache on this machine cannot take the files.
            UsageError: the extra ``hf`` is not installed.
        """
        hub = await asyncio.to_thread(_library)
        cache = _cache(self._environment) or Path(hub.constants.HF_HUB_CACHE)
        revision = await asyncio.to_thread(self._download, hub, cache)
        source = HfCacheSource(
            cache,
            (Selector(self._selector.repository, revision.commit),),
            options=self._options,
        )
        artifacts = await source.artifacts()
        self._check_complete(artifacts, revision)
        return [replace(one, source=self.location) for one in artifacts]

    async def resolve(self) -> list[Resolved]:
        """Return the commit that the hub has now; no file is downloaded.

        Raises:
            SourceError: there is no such repository or revision for this user.
            StoreError: the Hub does not answer, or not as it should.
            UsageError: the extra ``hf`` is not installed.
        """
        hub = await asyncio.to_thread(_library)
        commit = await asyncio.to_thread(self._commit, hub)
        repository = self._selector.repository
        return [Resolved(repository.kind, repository.name, commit)]

    def _commit(self, hub: ModuleType) -> str:
        repository = self._selector.repository
        with hub_errors(self.location):
            api = hub.HfApi(
                endpoint=self._environment.get("HF_ENDPOINT") or None,
                token=self._environment.get("HF_TOKEN") or None,
            )
            found = api.repo_info(
                repo_id=repository.name,
                repo_type=repository.kind.removeprefix("hf-"),
                revision=self._selector.revision or DEFAULT_REVISION,
            )
        return str(found.sha)

    def _download(self, hub: ModuleType, cache: Path) -> _Revision:
        """Bring what is wanted into the cache; return what that is."""
        endpoint = self._environment.get("HF_ENDPOINT") or None
        token = self._environment.get("HF_TOKEN") or None
        repository = self._selector.repository
        arguments: dict[str, Any] = {
            "repo_id": repository.name,
            "repo_type": repository.kind.removeprefix("hf-"),
            "revision": self._selector.revision or DEFAULT_REVISION,
        }
        with hub_errors(self.location):
            api = hub.HfApi(endpoint=endpoint, token=token)
            commit = api.repo_info(**arguments).sha
            names = api.list_repo_files(**{**arguments, "revision": commit})
        revision = self._wanted(commit, names)
        if not revision.files:
            raise SourceError(
                f"{self.location}: no file of it is wanted",
                advice="check --include and --exclude",
            )
        with hub_errors(self.location):
            folder = hub.snapshot_download(
                **arguments,
                allow_patterns=revision.patterns,
                cache_dir=cache,
                endpoint=endpoint,
                token=token,
            )
        if Path(folder).name != revision.commit:
            raise TransientError(
                f"{self.location}: it changed while it was downloaded",
                advice="run the same command again",
            )
        return revision

    def _wanted(self, commit: str, names: list[str]) -> _Revision:
        """Return which files of a revision the options want."""
        repository = self._selector.repository
        wanted = frozenset(
            name
            for name in names
            if self._options.takes(
                repository.kind, repository.name, f"snapshots/{commit}/{name}"
            )
        )
        return _Revision(commit, wanted, every=len(wanted) == len(names))

    def _check_complete(
        self, artifacts: list[SourceArtifact], revision: _Revision
    ) -> None:
        """Refuse a download that lacks a file, unless that is a known problem."""
        if any(artifact.problems for artifact in artifacts):
            return
        here = {file.path for artifact in artifacts for file in artifact.files}
        missing = [
            name
            for name in revision.files
            if f"snapshots/{revision.commit}/{name}" not in here
        ]
        if missing:
            raise TransientError(
                f"{self.location}: not all of it was downloaded ({some(missing)})",
                advice="run the same command again",
            )


def _cache(environment: Mapping[str, str]) -> Path | None:
    """Return the cache that the environment names, or None."""
    if environment.get("HF_HUB_CACHE"):
        return Path(environment["HF_HUB_CACHE"]).expanduser()
    if environment.get("HF_HOME"):
        return Path(environment["HF_HOME"]).expanduser() / "hub"
    return None


def _library() -> ModuleType:
    """Return ``huggingface_hub``, with its progress bars off.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import huggingface_hub.utils  # noqa: PLC0415 - slow to import, and optional
    except ImportError as error:
        raise UsageError(
            f"hf:// needs the package huggingface_hub: {error}",
            advice="install bundle-syncd[hf], or pack a cache with hf-cache:PATH",
        ) from None
    hub: ModuleType = huggingface_hub
    if not hub.utils.are_progress_bars_disabled():
        hub.utils.disable_progress_bars()
    return hub
