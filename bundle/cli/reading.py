"""What the verbs that read a bundle share: trust, and names of what is in it."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bundle.cli.networks import BUCKETS, bucket_store
from bundle.errors import (
    BundleError,
    FormatError,
    IntegrityError,
    MissingError,
    StoreError,
    UsageError,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Iterable, Iterator, Sequence

    from bundle.cli.session import Session
    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.medium.reader import OpenBundle
    from bundle.state.receiver import Reason, TrustChoice
    from bundle.store.base import ReadStore

_T = TypeVar("_T")

_SHOWN = 5
"""Candidates that are named when a name fits several."""


def trust_of(options: argparse.Namespace, session: Session) -> TrustChoice:
    """Return whom this run trusts, and on what terms.

    Raises:
        UsageError: the terms make no sense, or nobody says who wants a roll-back.
        MissingError: there is no such file of terms.
    """
    from bundle.state.decisions import policy_of, read_policy
    from bundle.state.receiver import TrustChoice
    from bundle.trust.terms import OPEN

    if options.policy is not None:
        policy = read_policy(Path(options.policy))
    else:
        policy = OPEN if options.trust else policy_of(session.state)
    back = getattr(options, "roll_back", None)
    return TrustChoice(
        root=None if options.trust is None else Path(options.trust),
        state=session.state,
        site=options.site or policy.site,
        strict=options.strict,
        policy=policy,
        signatures=tuple(map(Path, options.signatures)),
        roll_back=None if back is None else reason_of(back, options, session),
    )


def reason_of(text: str, options: argparse.Namespace, session: Session) -> Reason:
    """Return who decides something, and why.

    Raises:
        UsageError: nobody was named, and the system does not say who it is.
    """
    from bundle.state.receiver import Reason

    names = (options.by, *map(session.environment.get, ("USER", "LOGNAME")))
    by = next((name for name in names if name), None)
    if by is None:
        raise UsageError("nobody is named who decides this", advice="add --by NAME")
    return Reason(by, text)


@contextlib.contextmanager
def repairable(bundles: Sequence[str]) -> Iterator[None]:
    """Let an error about damage say how it is repaired, where parity is there.

    Raises:
        BundleError: as it was raised, with more advice.
    """
    try:
        yield
    except (FormatError, IntegrityError, MissingError, StoreError) as error:
        from bundle.medium.parity_files import parity_paths

        with contextlib.suppress(BundleError):
            if parity_paths(map(Path, bundles)):
                words = shlex.join(["bundle", "repair", *bundles, "--out"])
                repair = f"repair it: {words} DIR"
                error.advice = "; or ".join(filter(None, (error.advice, repair)))
        raise


def open_verified(options: argparse.Namespace, session: Session) -> OpenBundle:
    """Open the bundle that was asked for, warn of what it brings, write nothing.

    Raises:
        BundleError: it is not here, damaged, or not to be trusted.
    """
    from bundle.medium.reader import open_bundle

    opened = open_bundle(
        Path(options.bundle), trust_of(options, session), session.clock(), keep=False
    )
    for warning in opened.warnings:
        session.output.warn(warning)
    return opened


@contextlib.contextmanager
def open_store(
    text: str, options: argparse.Namespace, session: Session
) -> Iterator[ReadStore]:
    """Open a store, or another bundle, to take chunks from that one does not carry.

    One in a bucket is connected to by ``connected``, when there is a loop.

    A bundle need not be meant for this receiver nor be new: only what has the
    right id is taken from it.

    Raises:
        BundleError: it is not here, damaged, or not signed by whom this receiver
            trusts.
    """
    from bundle.format.layout import MANIFEST
    from bundle.medium.files import is_there
    from bundle.medium.lending import LendingStore
    from bundle.medium.reader import open_bundle

    if text.startswith(BUCKETS):
        yield bucket_store(text, options, session)
        return
    path = Path(text)
    if not is_there(path / MANIFEST):
        from bundle.store.local import LocalStore

        with contextlib.closing(LocalStore(path)) as store:
            yield store
        return
    opened = open_bundle(
        path, trust_of(options, session), session.clock(), keep=False, judged=False
    )
    with opened.volumes() as volumes:
        yield LendingStore(opened, volumes)


async def connected(stores: Iterable[ReadStore], work: Coroutine[Any, Any, _T]) -> _T:
    """Return what ``work`` returns, with a connection to each store in a bucket.

    Raises:
        TargetError: the settings of a connection make no sense.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(work.close)
        for store in stores:
            if isinstance(store, contextlib.AbstractAsyncContextManager):
                await stack.enter_async_context(store)
        return await work


def find_artifact(opened: OpenBundle, text: str) -> Artifact:
    """Return the artifact called ``text``: its name, or kind and name with a slash.

    Raises:
        MissingError: none is called that, or several are.
    """
    artifacts = opened.release.artifacts
    found = [one for one in artifacts if text in (one.name, f"{one.kind}/{one.name}")]
    names = [f"{one.kind}/{one.name}" for one in found or artifacts]
    return _only(found, names, f"artifact {text!r}")


def find_recipe(opened: OpenBundle, artifact: Artifact) -> Recipe:
    """Return the recipe of an artifact.

    Raises:
        MissingError: this bundle does not carry it.
    """
    recipe = opened.recipes.get(artifact.recipe.digest)
    if recipe is None:
        raise MissingError(
            f"{artifact.kind} {artifact.name}: its recipe is not in this bundle",
            advice="read the bundle that carried it first",
        )
    return recipe


def find_file(recipe: Recipe, text: str) -> int:
    """Return the index of the file at the path ``text``, or at the one that ends so.

    Raises:
        MissingError: there is none, or there are several.
    """
    ends: list[tuple[int, str]] = []
    for index, path in enumerate(recipe.paths()):
        if path == text:
            return index
        if path.endswith(f"/{text}"):
            ends.append((index, path))
    return _only(ends, [path for _, path in ends], f"file {text!r}")[0]


def _only(found: Sequence[_T], names: Sequence[str], what: str) -> _T:
    """Return what was found, if it is one thing.

    Raises:
        MissingError: none or several were; names some of ``names``.
    """
    if len(found) == 1:
        return found[0]
    some = ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
    if found:
        raise MissingError(f"{what} fits several", advice=f"say which: {some}")
    raise MissingError(
        f"there is no {what} here",
        advice=f"here are: {some}" if some else "see: bundle ls BUNDLE ARTIFACT",
    )
