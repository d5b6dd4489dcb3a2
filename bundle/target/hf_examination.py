"""One repository of a Hugging Face cache, looked at as a client would.

Reads names, links, sizes and small files; never the content of a model, which
is what ``unpack`` compares. Nothing here writes.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.target.diagnosis import Finding, Repository, Revision, Severity
from bundle.target.hf_layout import COMMIT_SIZE, FOLDERS, is_commit
from bundle.target.hf_listing import MAX_LISTING, listed_sizes, mentions_xet

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS: Final = {folder: kind for kind, folder in FOLDERS.items()}
_IGNORED: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_ABANDONED: Final = re.compile(r".*\.incomplete", re.ASCII)


def unreadable(path: Path) -> tuple[Severity, str, str] | None:
    """Say why other users, as pods are, cannot read a file or enter a directory.

    Members of its group or everyone else have to be able to. It is an error
    unless we are the owner, and not root, since then it loads at least for us.
    """
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    wanted = 0o5 if stat.S_ISDIR(status.st_mode) else 0o4
    if mode & wanted == wanted or (mode >> 3) & wanted == wanted:
        return None
    ours = status.st_uid == os.geteuid() != 0
    severity = Severity.WARNING if ours else Severity.ERROR
    right = "0775" if wanted == 0o5 else "0664"
    message = f"has mode {mode:04o}: only user {status.st_uid} can read it"
    return severity, message, f"chmod {right} {path}"


def is_repository(name: str) -> bool:
    """Return whether a client takes a directory of this name for a repository.

    >>> is_repository("models--gpt2"), is_repository("hub")
    (True, False)
    """
    prefix, separator, rest = name.partition("--")
    return prefix in _KINDS and bool(separator and rest)


def repository_name(folder: str) -> tuple[str, str]:
    """Return the kind and the name that a directory stands for.

    >>> repository_name("datasets--org--data")
    ('hf-dataset', 'org/data')
    """
    prefix, _, rest = folder.partition("--")
    return _KINDS[prefix], rest.replace("--", "/")


class Examination:
    """Examines one repository; ``findings`` fill up as it goes."""

    def __init__(self, path: Path, hub: Path) -> None:
        self.path = path
        self.kind, self.name = repository_name(path.name)
        self.findings: list[Finding] = []
        self._hub = hub.resolve()
        self._told: set[Path] = set()

    def run(self) -> Repository:
        """Return what is there."""
        for name in ("", "blobs", "snapshots", "refs"):
            if (self.path / name).is_dir():
                self._check_mode(self.path / name, "directory")
        commits = self._commits()
        refs = self._refs(commits)
        revisions = tuple(self._revision(commit, refs) for commit in commits)
        self._leftovers()
        return Repository(
            kind=self.kind,
            name=self.name,
            path=str(self.path),
            revisions=revisions,
            loads=all(found.severity is not Severity.ERROR for found in self.findings),
        )

    def _find(self, severity: Severity, path: Path, message: str, fix: str) -> None:
        subject = f"{self.path.name}/{path.relative_to(self.path)}"
        self.findings.append(Finding(severity, subject.rstrip("/."), message, fix))

    def _commits(self) -> list[str]:
        """Return the snapshots that a client can name."""
        snapshots = self.path / "snapshots"
        if not snapshots.is_dir():
            self._find(Severity.ERROR, self.path, "has no snapshots", "unpack it again")
            return []
        commits = []
        for path in _entries(snapshots):
            if is_commit(path.name) and path.is_dir():
                commits.append(path.name)
                continue
            what = "counts as a revision" if path.is_dir() else "is a file"
            self._find(
                Severity.WARNING,
                path,
                f"{what}, and is none: 'hf cache ls' shows it or drops the repository",
                f"remove it: rm -r {path}",
            )
        if not commits:
            self._find(
                Severity.ERROR, snapshots, "holds no revision", "unpack it again"
            )
        return commits

    def _refs(self, commits: list[str]) -> dict[str, str]:
        """Return the refs that lead to a snapshot."""
        refs: dict[str, str] = {}
        directory = self.path / "refs"
        for path in _files(directory):
            name = path.relative_to(directory).as_posix()
            commit = self._ref(path, commits)
            if commit:
                refs[name] = commit
        if commits and "main" not in refs:
            self._find(
                Severity.WARNING,
                directory,
                "has no 'main', which clients ask for when no revision is named",
                f"name one: revision={commits[0]!r}",
            )
        return refs

    def _ref(self, path: Path, commits: list[str]) -> str:
        """Return the commit that a ref leads to, or nothing if it leads nowhere."""
        try:
            with path.open("rb") as file:
                data = file.read(4 * COMMIT_SIZE)
        except OSError as error:
            self._find(
                Severity.ERROR, path, f"cannot be read: {error.strerror}", "chmod a+r"
            )
            return ""
        text = data.decode("utf-8", "replace")
        if is_commit(text.strip()) and text != text.strip():
            self._find(
                Severity.ERROR,
                path,
                "ends in a newline or a blank, which clients take for part of the "
                "commit",
                f"printf %s {text.strip()} > {path}",
            )
            return ""
        if text not in commits:
            self._find(
                Severity.ERROR,
                path,
                f"points to {text[:COMMIT_SIZE]!r}, and there is no such snapshot; "
                "'hf cache ls' drops the whole repository",
                f"unpack that revision, or remove the ref: rm {path}",
            )
            return ""
        self._check_mode(path, "ref")
        return text

    def _revision(self, commit: str, refs: dict[str, str]) -> Revision:
        before = len(self.findings)
        snapshot = self.path / "snapshots" / commit
        sizes: dict[str, int] = {}
        self._check_mode(snapshot, "directory")
        for path in _files(snapshot):
            size = self._file(path)
            if size is not None:
                sizes[path.relative_to(snapshot).as_posix()] = size
        if not sizes:
            self._find(Severity.ERROR, snapshot, "holds no file", "unpack it again")
        self._listing(commit, sizes)
        self._markers(commit, sizes)
        mine = self.findings[before:]
        return Revision(
            commit=commit,
            refs=tuple(sorted(ref for ref, to in refs.items() if to == commit)),
            files=len(sizes),
            bytes=sum(sizes.values()),
            loads=all(found.severity is not Severity.ERROR for found in mine),
        )

    def _file(self, path: Path) -> int | None:
        """Return the size of a file of a snapshot, or None if it does not load."""
        try:
            status = path.stat()
        except OSError as error:
            self._dangling(path, error)
            return None
        if not stat.S_ISREG(status.st_mode):
            self._find(Severity.ERROR, path, "is no regular file", f"rm -r {path}")
            return None
        if path.is_symlink() and not path.resolve().is_relative_to(self._hub):
            self._find(
                Severity.WARNING,
                path,
                f"leads to {path.resolve()}, outside the cache: it will not load where "
                "only the cache is mounted",
                "unpack the bundle here again",
            )
        self._check_mode(path, "file")
        return status.st_size

    def _dangling(self, path: Path, error: OSError) -> None:
        """Say how a file that does not open came to be like that."""
        first = path.readlink() if path.is_symlink() else None
        blob = None if first is None else path.parent / first
        if blob is not None and blob.is_symlink():
            message = (
                f"leads to {first} and on to {blob.readlink()}, which is not here: the "
                "repository was copied without the store that all repositories share"
            )
            fix = "copy the whole cache, or pack it with bundle and unpack it here"
        elif first is not None:
            message = f"leads to {first}, which is not here"
            fix = "unpack it again"
        else:
            message = f"cannot be opened: {error.strerror}"
            fix = "give everyone the right to enter the directories above it"
        self._find(Severity.ERROR, path, message, fix)

    def _check_mode(self, path: Path, what: str) -> None:
        """Find what other users, as pods are, cannot read; once for each."""
        target = path.resolve()
        objection = unreadable(target)
        if objection is not None and target not in self._told:
            self._told.add(target)
            severity, message, fix = objection
            self._find(severity, path, f"the {what} {message}", fix)

    def _listing(self, commit: str, sizes: dict[str, int]) -> None:
        """Compare a snapshot with the listing that a client compares it with."""
        path = self.path / "trees" / f"{commit}.json"
        try:
            with path.open("rb") as file:
                data = file.read(MAX_LISTING + 1)
        except FileNotFoundError:
            return
        except OSError as error:
            message = f"cannot be read: {error.strerror}; clients warn and go on"
            self._find(Severity.WARNING, path, message, f"chmod 0664 {path}")
            return
        listed = listed_sizes(data)
        if listed is None:
            self._find(
                Severity.WARNING,
                path,
                "is no listing that clients know; they warn and go on",
                f"remove it: rm {path}",
            )
            return
        self._compare(path, commit, listed, sizes)
        if mentions_xet(data):
            self._find(
                Severity.WARNING,
                path,
                "names content of another store ('xet_hash'): a client that reaches a "
                "mirror asks it for a token and fails",
                "unpack the bundle here again, which takes it out",
            )

    def _compare(
        self, path: Path, commit: str, listed: dict[str, int], sizes: dict[str, int]
    ) -> None:
        lacking = sorted(listed.keys() - sizes.keys())
        if lacking:
            self._find(
                Severity.ERROR,
                path,
                f"lists {len(listed)} files and the snapshot lacks {len(lacking)}, for "
                f"example {lacking[0]!r}: snapshot_download refuses it",
                f"unpack the whole revision, or take it as it is: rm {path}",
            )
        for name in sorted(listed.keys() & sizes.keys()):
            if listed[name] != sizes[name]:
                self._find(
                    Severity.ERROR,
                    self.path / "snapshots" / commit / name,
                    f"has {sizes[name]} bytes, the listing says {listed[name]}",
                    "unpack it again: it is damaged",
                )

    def _markers(self, commit: str, sizes: dict[str, int]) -> None:
        """Find files that a marker hides from clients."""
        directory = self.path / ".no_exist" / commit
        for path in _files(directory):
            name = path.relative_to(directory).as_posix()
            if name in sizes:
                self._find(
                    Severity.WARNING,
                    path,
                    f"says that there is no {name!r}, and there is: clients that look "
                    "in the cache first do not see it",
                    f"remove it: rm {path}",
                )

    def _leftovers(self) -> None:
        blobs = self.path / "blobs"
        for path in _entries(blobs) if blobs.is_dir() else ():
            if _ABANDONED.fullmatch(path.name):
                self._find(
                    Severity.NOTE,
                    path,
                    "is what an abandoned download left",
                    f"remove it when no download runs: rm {path}",
                )


def _entries(directory: Path) -> list[Path]:
    """Return what is in a directory, without what file managers leave."""
    return sorted(path for path in directory.iterdir() if path.name not in _IGNORED)


def _files(directory: Path) -> Iterator[Path]:
    """Return every name below a directory that is no directory itself."""
    for above, directories, files in os.walk(directory):
        directories.sort()
        for name in sorted(set(files) - _IGNORED):
            yield Path(above, name)
