"""What a client will see at a target, and which variables to give it.

The commonest mistake in the field is a directory too few: a client with
``HF_HOME=/models`` looks in ``/models/hub``, so repositories directly in
``/models`` are never found.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from bundle.limits import MIB
from bundle.target.diagnosis import Diagnosis, Finding, Severity, Variable
from bundle.target.folder import Folder
from bundle.target.hf_cache import HUB
from bundle.target.hf_examination import Examination, is_repository, unreadable
from bundle.target.locate import HF_HOME, OCI_LAYOUT, TREE, split_target
from bundle.target.workspace import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.target.diagnosis import Repository

_KNOWN: Final = frozenset(
    {".locks", "CACHEDIR.TAG", "blobs", ".DS_Store", "version.txt"}
)
_MAX_CONFIG: Final = 4 * MIB
_MODULES: Final = "/tmp/hf-modules"  # noqa: S108 - a suggestion, never opened here
_OFFLINE: Final = (
    Variable("HF_HUB_OFFLINE", "1", "do not ask the hub for anything"),
    Variable("TRANSFORMERS_OFFLINE", "1", "the same, for older transformers"),
)


def diagnose(target: str) -> Diagnosis:
    """Return what a client will see at a target; reads only.

    Raises:
        UsageError: ``target`` does not name one.
        TargetError: a directory there cannot be read.
    """
    scheme, path = split_target(target)
    location = f"{scheme}:{path}"
    if not path.is_dir():
        finding = Finding(
            Severity.ERROR, str(path), "is not a directory", "unpack a bundle there"
        )
        return Diagnosis(location, (), (finding,), ())
    if scheme in (TREE, OCI_LAYOUT):
        return Diagnosis(location, (), tuple(_readable(path)), ())
    home = scheme == HF_HOME
    hub = path / HUB if home else path
    repositories, findings = _examine(hub)
    findings = [*_misplaced(path, home=home), *findings]
    if not repositories and not findings:
        findings.append(
            Finding(Severity.WARNING, str(hub), "is empty", "unpack a bundle there")
        )
    code = list(_remote_code(repositories))
    return Diagnosis(
        location=location,
        repositories=tuple(repositories),
        findings=(*findings, *_code_findings(code, repositories, path)),
        variables=_variables(path, home=home, code=bool(code)),
    )


def _examine(hub: Path) -> tuple[list[Repository], list[Finding]]:
    """Look at every repository of a cache."""
    repositories: list[Repository] = []
    findings: list[Finding] = []
    for name in _names(hub):
        if is_repository(name):
            examination = Examination(hub / name, hub)
            repositories.append(examination.run())
            findings += examination.findings
        elif name not in _KNOWN:
            findings.append(
                Finding(
                    Severity.NOTE,
                    str(hub / name),
                    "is no repository: 'hf cache ls' warns of it",
                    "move it out of the cache",
                )
            )
    return repositories, findings


def _misplaced(path: Path, *, home: bool) -> Iterator[Finding]:
    """Find repositories one directory too high, or too deep, to be found."""
    here = [name for name in _names(path) if is_repository(name)]
    hub = path / HUB
    below = [name for name in _names(hub) if is_repository(name)]
    linked = hub.is_dir() and hub.samefile(path)
    if home and here and not linked:
        yield Finding(
            Severity.ERROR,
            str(path),
            f"{_some(here)} will not load: a client with HF_HOME={path} looks in {hub}",
            f"mkdir -p {hub} && mv {path}/*--* {hub}/, or give clients "
            f"HF_HUB_CACHE={path} in place of HF_HOME",
        )
    elif home and hub.is_symlink():
        yield Finding(
            Severity.WARNING,
            str(hub),
            f"is a link to {hub.readlink()}: clients follow it, unpack does not",
            f"unpack to hf-cache:{hub.resolve()}",
        )
    if not home and below and not linked:
        yield Finding(
            Severity.ERROR,
            str(hub),
            f"{_some(below)} will not load: a client with HF_HUB_CACHE={path} does not "
            f"look in {hub}",
            f"give clients HF_HOME={path}, or HF_HUB_CACHE={hub}",
        )


def _some(names: list[str]) -> str:
    """Name one of several."""
    if len(names) == 1:
        return names[0]
    return f"{names[0]} and {len(names) - 1} more"


def _readable(path: Path) -> Iterator[Finding]:
    """Find the files of a tree that pods cannot read."""
    for above, directories, files in os.walk(path):
        if NAME in directories:
            directories.remove(NAME)
        for name in sorted([*directories, *files]):
            entry = path.joinpath(above, name)
            if entry.is_symlink():
                continue
            objection = unreadable(entry)
            if objection is not None:
                severity, message, fix = objection
                yield Finding(severity, str(entry), message, fix)


def _remote_code(repositories: list[Repository]) -> Iterator[tuple[str, str]]:
    """Return pairs of a repository and the one that holds the code it needs."""
    for repository in repositories:
        for revision in repository.revisions:
            snapshot = f"{repository.path}/snapshots/{revision.commit}"
            for name in ("config.json", "tokenizer_config.json"):
                for reference in _references(f"{snapshot}/{name}"):
                    other, separator, _ = reference.partition("--")
                    yield repository.name, other if separator else repository.name


def _references(path: str) -> Iterator[str]:
    """Return the classes that a configuration takes from code of a repository."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - one string per file, not a Path
            data = file.read(_MAX_CONFIG + 1)
        document = json.loads(data) if len(data) <= _MAX_CONFIG else None
    except (OSError, ValueError, RecursionError):
        return
    found: Any = document.get("auto_map") if isinstance(document, dict) else None
    for value in found.values() if isinstance(found, dict) else ():
        for reference in value if isinstance(value, list) else [value]:
            if isinstance(reference, str):
                yield reference


def _code_findings(
    code: list[tuple[str, str]], repositories: list[Repository], path: Path
) -> Iterator[Finding]:
    """Find what stands in the way of models that bring their own code."""
    here = {found.name for found in repositories if found.kind == "hf-model"}
    for name, other in sorted(set(code)):
        if other not in here:
            yield Finding(
                Severity.WARNING,
                name,
                f"takes its code from {other!r}, which is not here: loading it with "
                "trust_remote_code fails",
                f"pack {other} as well",
            )
    if code and not os.access(path, os.W_OK):
        yield Finding(
            Severity.WARNING,
            str(path),
            "cannot be written, and transformers copies code of models to "
            "$HF_HOME/modules before it runs it",
            "give clients HF_MODULES_CACHE, a directory that they can write",
        )


def _variables(path: Path, *, home: bool, code: bool) -> tuple[Variable, ...]:
    """Return what to set so that a client looks here and nowhere else."""
    where = (
        Variable("HF_HOME", str(path), f"clients look in {path / HUB}")
        if home
        else Variable("HF_HUB_CACHE", str(path), "clients look in it")
    )
    modules = Variable(
        "HF_MODULES_CACHE",
        _MODULES,
        "models here bring code, which is copied there: any directory that can be "
        "written",
    )
    return (where, *_OFFLINE, *((modules,) if code else ()))


def _names(directory: Path) -> list[str]:
    """Return the names in a directory; none if there is no such directory.

    Raises:
        TargetError: it cannot be read.
    """
    if not directory.is_dir():
        return []
    with Folder.open(directory) as folder:
        return folder.names()
