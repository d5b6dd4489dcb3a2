"""What a client has to find in a cache that was unpacked."""

from __future__ import annotations

import filecmp
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.caches import Content, Repository
    from tests.clients import HubClient, Scan

SECRET = b"hf_secret"
"""What the tokens of ``tests.caches`` hold."""

PRIVATE = frozenset(
    {"token", "stored_tokens", "xet", "modules", "CACHEDIR.TAG", ".DS_Store"}
)
PASSING = frozenset({".incomplete", ".lock", ".refs", ".tmp"})


def check_loads(client: HubClient, repo: Repository, hub: Path | None = None) -> None:
    """Assert that every file of every revision loads, by every name it has.

    ``hub`` is the cache; without it the client looks where its variables say.
    """
    where: dict[str, object] = {"repo_type": repo.kind.removeprefix("hf-")}
    if hub is not None:
        where["cache_dir"] = str(hub)
    commits = {commit: commit for commit in repo.commits}
    for revision, commit in {**commits, **repo.refs}.items():
        files = repo.commits[commit]
        folder = client.snapshot(repo.name, revision=revision, **where)
        assert folder.name == commit
        assert names_below(folder) == sorted(files)
        for path, content in files.items():
            found = client.file(repo.name, path, revision=revision, **where)
            assert found == folder / path
            assert is_same(found, content), path
        for path in repo.absent:
            kept = client.cached(repo.name, path, revision=revision, **where)
            assert kept == "no such file"
    assert client.cached(repo.name, "never asked for", **where) is None


def check_scan(scan: Scan, *repos: Repository) -> None:
    """Assert that a client sees these repositories whole, and nothing else."""
    assert scan.warnings == []
    assert scan.repositories == {
        f"{repo.kind.removeprefix('hf-')}/{repo.name}": {
            commit: sorted(ref for ref, named in repo.refs.items() if named == commit)
            for commit in repo.commits
        }
        for repo in repos
    }


def check_nothing_private(root: Path) -> None:
    """Assert that nothing that a client keeps beside models has crossed."""
    for path in root.rglob("*"):
        assert path.name not in PRIVATE, path
        assert path.suffix not in PASSING, path
        if path.is_file() and path.stat().st_size < 1 << 20:
            assert SECRET not in path.read_bytes()


def names_below(folder: Path) -> list[str]:
    """Return the paths of all files below ``folder``, links to files among them."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir()
    )


def is_same(path: Path, content: Content) -> bool:
    """Return whether a file has these bytes."""
    if isinstance(content, Path):
        return filecmp.cmp(path, content, shallow=False)
    return path.read_bytes() == content
