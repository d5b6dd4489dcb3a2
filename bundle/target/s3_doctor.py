"""What readers of a bucket will see, and what its endpoint really does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bundle.errors import NotFoundError, TargetError
from bundle.flow.together import together
from bundle.s3.bucket import AT_ONCE
from bundle.s3.client import S3Client
from bundle.s3.probe import Probe
from bundle.target.diagnosis import (
    Diagnosis,
    Finding,
    Repository,
    Revision,
    Severity,
    Variable,
)
from bundle.target.hf_layout import COMMIT_SIZE, FOLDERS
from bundle.target.s3_layout import REFS, Layout
from bundle.target.s3_papers import MARKERS, PROBE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.s3.options import Connection
    from bundle.s3.probe import Truth
    from bundle.target.s3 import S3Target

_COMMIT: Final = r"[0-9a-f]{40}"
_SNAPSHOT: Final = re.compile(rf"([a-z]+--[^/]+)/snapshots/({_COMMIT})/.+")
_REVISION: Final = re.compile(
    rf"(?:(datasets|spaces|kernels)/)?((?:[^/]+/)?[^/]+)/({_COMMIT})/.+"
)
_KINDS: Final = {folder: kind for kind, folder in FOLDERS.items()}


async def diagnose(target: S3Target, connection: Connection) -> Diagnosis:
    """Return what is below the prefix, and what the endpoint does when it is tried.

    A few small objects are put and removed again; where that is not allowed, it is
    said and everything else is still looked at.

    Raises:
        StoreError: the endpoint does not answer.
        TargetError: there is no such bucket, or we may not look at it.
    """
    async with S3Client(target.address.bucket, connection) as client:
        look = _Look(target, client)
        await look.run()
        repositories = look.repositories()
        findings = [*look.findings(repositories), *await _tried(target, client)]
    return Diagnosis(
        target.location,
        tuple(repositories),
        tuple(findings),
        tuple(_variables(target, connection)),
    )


class _Look:
    """What lies below one base."""

    def __init__(self, target: S3Target, client: S3Client) -> None:
        self._target = target
        self._client = client
        self._home = target.address.key(target.base)
        self._sizes: dict[str, int] = {}
        self._refs: dict[str, dict[str, str]] = {}

    async def run(self) -> None:
        """List everything and read the refs."""
        async for one in self._client.list(self._home):
            self._sizes[one.key.removeprefix(self._home)] = one.size
        names = [path for path in self._sizes if self._ref_of(path) is not None]
        await together(self._read_ref, names, AT_ONCE)

    def _ref_of(self, path: str) -> tuple[str, str] | None:
        """Return the directory and the name of a ref, None if it is none."""
        if self._target.layout is Layout.FLAT:
            folder, _, name = path.removeprefix(REFS).partition("/")
            return (folder, name) if path.startswith(REFS) else None
        folder, separator, name = path.partition("/refs/")
        return (folder, name) if separator and "/" not in folder else None

    async def _read_ref(self, path: str) -> None:
        found = self._ref_of(path)
        if found is None:
            return
        try:
            data = await self._client.get(f"{self._home}{path}", COMMIT_SIZE)
        except (NotFoundError, TargetError):
            data = b""
        self._refs.setdefault(found[0], {})[found[1]] = data.decode("ascii", "replace")

    def repositories(self) -> list[Repository]:
        """Return what readers find, by name."""
        found: dict[str, dict[str, list[int]]] = {}
        for path, size in self._sizes.items():
            place = self._place(path)
            if place is not None:
                folder, commit = place
                found.setdefault(folder, {}).setdefault(commit, []).append(size)
        return [
            self._repository(folder, commits)
            for folder, commits in sorted(found.items())
        ]

    def _place(self, path: str) -> tuple[str, str] | None:
        """Return the directory of a repository and the commit of one of its files."""
        if self._target.layout is Layout.HF_SNAPSHOTS:
            snapshot = _SNAPSHOT.fullmatch(path)
            return (snapshot[1], snapshot[2]) if snapshot else None
        found = _REVISION.fullmatch(path)
        if found is None or path.startswith("."):
            return None
        return f"{found[1] or 'models'}--{found[2].replace('/', '--')}", found[3]

    def _repository(self, folder: str, commits: dict[str, list[int]]) -> Repository:
        prefix, _, name = folder.partition("--")
        refs = self._refs.get(folder, {})
        revisions = tuple(
            Revision(
                commit=commit,
                refs=tuple(
                    sorted(ref for ref, named in refs.items() if named == commit)
                ),
                files=len(sizes),
                bytes=sum(sizes),
                loads=True,
            )
            for commit, sizes in sorted(commits.items())
        )
        return Repository(
            kind=_KINDS.get(prefix, prefix),
            name=name.replace("--", "/"),
            path=f"{self._client.place(self._home)}{folder}",
            revisions=revisions,
            loads=all(commit in commits for commit in refs.values()),
        )

    def findings(self, repositories: list[Repository]) -> Iterator[Finding]:
        """Yield what keeps readers from loading."""
        place = self._client.place(self._home)
        if not any(path.startswith(MARKERS) for path in self._sizes):
            yield Finding(
                Severity.WARNING,
                place,
                "has no marker: no release was published here to its end",
                "unpack a bundle there",
            )
        there = {one.path.rpartition("/")[2]: one for one in repositories}
        for folder, refs in sorted(self._refs.items()):
            known = there.get(folder)
            commits = {one.commit for one in known.revisions} if known else set()
            for ref, commit in sorted(refs.items()):
                if commit not in commits:
                    yield Finding(
                        Severity.ERROR,
                        f"{place}{folder}",
                        f"has the ref {ref!r} to {commit[:COMMIT_SIZE]!r}, which is "
                        "not here",
                        "unpack the bundle again",
                    )


async def _tried(target: S3Target, client: S3Client) -> list[Finding]:
    """Return what the endpoint does."""
    subject = f"s3://{target.address.bucket}"
    try:
        truth = await Probe(client, target.address.key(PROBE)).truth()
    except TargetError as error:
        message = f"was not tried, since nothing can be put there: {error}"
        return [Finding(Severity.NOTE, subject, message, error.advice)]
    return [
        Finding(Severity.NOTE, subject, message, fix) for message, fix in _said(truth)
    ]


def _said(truth: Truth) -> Iterator[tuple[str, str]]:
    if truth.conditional_put:
        yield "refuses to overwrite an object where it is asked to", ""
    else:
        yield "ignores If-None-Match", "let one writer at a time publish"
    if truth.checks_content:
        yield "refuses a body that is not what its Content-MD5 says", ""
    else:
        yield "ignores Content-MD5: only reading tells damage on the way", ""
    if truth.part_copy:
        yield "copies parts of objects: of a large file the changed parts are sent", ""
    else:
        yield "copies no parts of objects: a large file that changed is sent whole", ""
    if truth.small_parts:
        yield "takes parts below 5 MiB", ""
    else:
        yield "takes parts from 5 MiB on, as S3 does", ""


def _variables(target: S3Target, connection: Connection) -> Iterator[Variable]:
    """Yield what readers should be given."""
    if connection.endpoint is not None:
        yield Variable(
            "AWS_ENDPOINT_URL", connection.endpoint, "readers ask there, not AWS"
        )
    if connection.region is not None:
        yield Variable("AWS_REGION", connection.region, "the bucket is there")
    if target.layout is Layout.HF_SNAPSHOTS:
        place = f"{target.address}/{target.base}".rstrip("/")
        yield Variable(
            "SIE_CLUSTER_CACHE", place, "SIE copies models from there into HF_HOME/hub"
        )
