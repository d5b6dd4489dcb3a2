"""What operators may ask for: checked first, then left for the daemon to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bundle.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from syncd.config import TargetSettings
    from syncd.plan import Arrival, Held

MAX_REASON = 1000
"""Characters of a reason: it is kept in the history."""


def asked_retry(arrivals: Iterable[Arrival], bundle: str) -> dict[str, Any]:
    """Return the request to look at a bundle again.

    Raises:
        UsageError: no bundle, or several, are called that.
    """
    name = bundle.removeprefix("blake3:")
    found = [
        one.bundle
        for one in arrivals
        if one.bundle.removeprefix("blake3:").startswith(name)
    ]
    if len(found) != 1 or not name:
        raise UsageError(
            f"{len(found)} bundles are called {bundle[:80]!r}",
            advice="'syncd status' lists them",
        )
    return {"bundle": found[0]}


def asked_rollback(
    held: Sequence[Held], stream: str, seq: int, reason: str
) -> dict[str, Any]:
    """Return the request to publish an earlier release of a stream.

    Nothing is lowered by it: what is older than the newest release ever taken is
    still refused from any medium.

    Raises:
        UsageError: the store does not hold that release, or no reason is given.
    """
    if not reason.strip() or len(reason) > MAX_REASON:
        raise UsageError(f"a reason has 1 to {MAX_REASON} characters")
    of_stream = [one for one in held if stream in (one.stream, one.name)]
    ids = {one.stream for one in of_stream}
    if len(ids) != 1:
        raise UsageError(
            f"{len(ids)} streams in the store are called {stream[:80]!r}",
            advice="'syncd status' lists them; the id tells them apart",
        )
    found = [one for one in of_stream if one.seq == seq]
    if not found:
        there = ", ".join(str(one.seq) for one in of_stream)
        raise UsageError(f"release {seq} is not in the store; these are: {there}")
    chosen = found[0]
    return {
        "stream": chosen.stream,
        "name": chosen.name,
        "seq": chosen.seq,
        "release": chosen.release,
        "above": max(one.seq for one in of_stream),
        "why": reason,
    }


def asked_reconcile(
    targets: Iterable[TargetSettings], target: str | None
) -> dict[str, Any]:
    """Return the request to hash what a target has, or all of them, and restore it.

    Raises:
        UsageError: no target is called that.
    """
    names = [one.name for one in targets]
    if target is not None and target not in names:
        raise UsageError(f"no target is called {target[:80]!r}: {', '.join(names)}")
    return {"target": target}
