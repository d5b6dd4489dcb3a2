"""What ``bundle doctor docker://…`` finds out about a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bundle.errors import BundleError, StoreError
from bundle.registry.connection import Registry
from bundle.registry.failures import DeniedError
from bundle.registry.probing import look, takes_sparse_indexes, try_push
from bundle.registry.repository import Repository
from bundle.target.diagnosis import Diagnosis, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bundle.registry.options import RegistryOptions
    from bundle.target.registry_place import RegistryPlace

PROBE: Final = "bundle-doctor"
"""The repository that is asked about, below the prefix; nothing stays in it."""

_LOGINS: Final = {
    "none": "asks nobody who they are",
    "basic": "asks for a name and a password, and takes ours",
    "bearer": "sends its clients to a token server, which knows us",
}


async def diagnose(
    place: RegistryPlace, options: RegistryOptions, *, write: bool = False
) -> Diagnosis:
    """Return what a registry is, whether it lets us in, and what it cannot do.

    Reads only, unless ``write`` asks for more: then an upload is begun and given
    up, and an index is put and deleted.

    Raises:
        UsageError: a file of logins or certificates is none.
    """
    async with Registry(place.host, options) as registry:
        name = f"{place.prefix}/{PROBE}" if place.prefix else PROBE
        repository = Repository(registry, name, push=write)
        findings = [found async for found in _findings(repository, write=write)]
    return Diagnosis(str(place), (), tuple(findings), ())


async def _findings(repository: Repository, *, write: bool) -> AsyncIterator[Finding]:
    host = repository.registry.host
    try:
        seen = await look(repository)
    except StoreError as error:
        yield _error(host, error)
        return
    version = seen.version or "no version that it names"
    yield _note(host, f"answers as a registry, and speaks {version}")
    yield _note(host, _LOGINS[seen.login])
    yield _note(host, *_referrers(listed=seen.referrers))
    if not write:
        yield _note(
            host,
            "was not asked whether we may push, nor whether it takes an index of which "
            "some platforms are missing",
            "bundle doctor --write asks both, and leaves nothing there",
        )
        return
    try:
        await try_push(repository)
        yield _note(host, f"lets us push into {repository.name}")
        yield _note(host, *_sparse(taken=await takes_sparse_indexes(repository)))
    except DeniedError as error:
        yield _error(host, error)
    except StoreError as error:
        yield Finding(Severity.WARNING, host, f"cannot be asked: {error}", error.advice)


def _referrers(*, listed: bool) -> tuple[str, str]:
    if listed:
        return "lists what is about an image (OCI 1.1)", ""
    return (
        "does not list what is about an image",
        "signatures are found by a tag instead, which is put with them",
    )


def _sparse(*, taken: bool) -> tuple[str, str]:
    if taken:
        return "takes an index of which some platforms are missing", ""
    return (
        "refuses an index of which some platforms are missing",
        "pack all platforms, or the tag names one platform's image alone",
    )


def _note(subject: str, message: str, fix: str = "") -> Finding:
    return Finding(Severity.NOTE, subject, message, fix)


def _error(subject: str, error: BundleError) -> Finding:
    return Finding(Severity.ERROR, subject, f"does not work: {error}", error.advice)
