"""What ``bundle doctor`` says: values that a terminal or JSON can show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters to whoever wants to load."""

    ERROR = "error"
    """A client will not load this."""

    WARNING = "warning"
    """It loads, but not for everyone, not everywhere, or not as expected."""

    NOTE = "note"
    """It loads; something is there that nobody needs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what to do about it."""

    severity: Severity
    subject: str
    """The repository or the path it is about."""

    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Revision:
    """One snapshot of a repository, as a client sees it."""

    commit: str
    refs: tuple[str, ...]
    files: int
    bytes: int
    loads: bool


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository at a target."""

    kind: str
    name: str
    path: str
    revisions: tuple[Revision, ...]
    loads: bool
    """Whether every revision and every ref of it does."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that a client should be given."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a client will see at a target."""

    location: str
    repositories: tuple[Repository, ...]
    findings: tuple[Finding, ...]
    variables: tuple[Variable, ...]

    @property
    def loads(self) -> bool:
        """Whether nothing stands in the way of loading what is there."""
        return all(found.severity is not Severity.ERROR for found in self.findings)

    @property
    def exit_code(self) -> int:
        """0 if everything loads, or the code of a target that is not in order."""
        return 0 if self.loads else 14
