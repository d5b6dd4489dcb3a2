"""Senders, receivers and bundles for tests, cheap enough to make afresh each time.

Keys are those of ``tests.trust.ceremony``, so nothing is generated; a ``Site``
is a directory with everything that one sender and one receiver have.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from bundle.packer import PackRequest, pack
from bundle.progress import Reporter
from bundle.source.tree import TreeSource
from bundle.state.receiver import TrustChoice, enrol
from bundle.target.tree import TreeTarget
from bundle.unpacker import UnpackRequest, unpack
from bundle.verifier import verify
from tests.trust.ceremony import NOW, founded, key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from bundle.packer import PackReport
    from bundle.target.base import Target
    from bundle.trust.keys import PrivateKey
    from bundle.unpacker import UnpackReport
    from bundle.verifier import VerifyReport

PACKER: Final = 10
"""The number of the key that the packer role lists."""

STREAM: Final = "models-prod"

FILES: Final = {
    "a file.txt": b"hello, air gap\n" * 20,
    "bin/run": b"#!/bin/sh\nexit 0\n",
    "empty": b"",
}
"""A tree with a chunk, a literal and nothing at all."""


@cache
def trust_files(
    packers: tuple[int, ...] = (PACKER,), root: int = 1
) -> dict[str, bytes]:
    """Return the root and roles of one organisation; made once in a process."""
    return founded(
        root_keys=[key(root)],
        root_threshold=1,
        roles={"packer": ([key(number) for number in packers], 1)},
    ).files


def write_tree(
    root: Path,
    files: Mapping[str, bytes],
    *,
    executable: Collection[str] = (),
    directories: Iterable[str] = (),
) -> Path:
    """Make a directory with these files and empty directories; return it."""
    root.mkdir(parents=True, exist_ok=True)
    for path in directories:
        (root / path).mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
        (root / path).chmod(0o755 if path in executable else 0o644)
    return root


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Return every name below ``root`` with its kind and content; follows no link.

    But for the audit log, which says what was tried and refused.
    """
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        if path.name == "audit.jsonl":
            continue
        mode = path.lstat().st_mode
        kind: tuple[object, ...] = stat.S_IFMT(mode), bool(mode & stat.S_IXUSR)
        if stat.S_ISLNK(mode):
            kind = (*kind, path.readlink())
        elif stat.S_ISREG(mode):
            kind = (*kind, hashlib.sha256(path.read_bytes()).hexdigest())
        found[path.relative_to(root).as_posix()] = kind
    return found


@contextmanager
def no_flushing() -> Iterator[None]:
    """Keep flushes from reaching the disk: they are most of a small run's time."""
    with mock.patch.object(os, "fsync", return_value=None):
        yield


@dataclass
class Site:
    """One sender and one receiver below ``path``; ``now`` is their clock."""

    path: Path
    now: float = float(NOW)
    keys: Mapping[str, bytes] = field(default_factory=trust_files)
    key: int = PACKER

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def sender(self) -> Path:
        return self.path / "sender"

    @property
    def receiver(self) -> Path:
        return self.path / "receiver"

    @property
    def target(self) -> Path:
        return self.path / "target"

    @property
    def root(self) -> Path:
        """The file with the first root."""
        return self.key_directory / "1.root.json"

    @property
    def key_directory(self) -> Path:
        """A key directory as ``bundle key init`` makes it, made when first asked."""
        directory = self.path / f"key-{self.key}"
        if not directory.is_dir():
            directory.mkdir(parents=True)
            for name, data in self.keys.items():
                (directory / name).write_bytes(data)
            (directory / "packer.pem").touch(mode=0o600)
            (directory / "packer.pem").write_bytes(key(self.key).to_pem())
        return directory

    @property
    def signing_key(self) -> PrivateKey:
        return key(self.key)

    @property
    def stateless(self) -> TrustChoice:
        return TrustChoice(self.root, self.receiver)

    def enrolled(self, **changes: Any) -> TrustChoice:  # noqa: ANN401 - fields of TrustChoice
        """Return the choice of a receiver with a memory."""
        if not (self.receiver / "trust").is_dir():
            enrol(self.receiver, self.keys["1.root.json"])
        return TrustChoice(None, self.receiver, **changes)

    def request(self, *sources: Any, **changes: Any) -> PackRequest:  # noqa: ANN401 - paths or sources
        """Return a request to pack trees, or any other sources."""
        fields: dict[str, Any] = {
            "out": self.out,
            "stream": STREAM,
            "key": self.key_directory,
            "state": self.sender,
            "clock": lambda: self.now,
            "jobs": 1,
        }
        return PackRequest(
            sources=tuple(
                TreeSource(one) if isinstance(one, Path) else one for one in sources
            ),
            **{**fields, **changes},
        )

    def pack(
        self,
        *sources: Any,  # noqa: ANN401 - paths or sources
        reporter: Reporter | None = None,
        **changes: Any,  # noqa: ANN401 - fields of PackRequest
    ) -> PackReport:
        request = self.request(*sources, **changes)
        return asyncio.run(pack(request, reporter or Reporter()))

    def bundle(self, *sources: Any, **changes: Any) -> Path:  # noqa: ANN401 - as pack
        """Pack, and return the directory of the bundle."""
        bundle = self.pack(*sources, **changes).bundle
        assert bundle is not None
        return bundle

    def packed(self, files: Mapping[str, bytes] = FILES, **changes: Any) -> Path:  # noqa: ANN401 - fields of PackRequest
        """Return a finished bundle of one tree."""
        tree = write_tree(self.path / "tree", files, executable=("bin/run",))
        return self.bundle(tree, **changes)

    def verify(
        self,
        bundle: Path,
        trust: TrustChoice | None = None,
        *,
        jobs: int = 1,
        reporter: Reporter | None = None,
        beside: tuple[Path, ...] = (),
    ) -> VerifyReport:
        choice = trust or self.stateless
        reporter = reporter or Reporter()
        work = verify(bundle, choice, jobs, reporter, self.now, beside)
        return asyncio.run(work)

    def unpack(
        self,
        bundle: Path,
        *targets: Target,
        trust: TrustChoice | None = None,
        jobs: int = 1,
        reporter: Reporter | None = None,
        **changes: Any,  # noqa: ANN401 - fields of UnpackRequest
    ) -> UnpackReport:
        """Unpack, into the tree ``target`` unless told otherwise."""
        request = UnpackRequest(
            bundle=bundle,
            targets=targets or (TreeTarget(self.target),),
            trust=trust or self.stateless,
            clock=lambda: self.now,
            jobs=jobs,
            **changes,
        )
        return asyncio.run(unpack(request, reporter or Reporter()))
