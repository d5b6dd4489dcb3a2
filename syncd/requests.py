"""What operators ask the daemon for, answered in the journal.

A request is left there by ``syncd rollback``, ``reconcile`` and the like, which
need no network and no daemon that runs: it is answered when one does.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from syncd.phases import Event
from syncd.plan import Return

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from syncd.journal import Journal

    Members = dict[str, Any]


IMPORTS: Final = "imports"
"""The note of directories that are looked at beside those of the configuration."""

_DOORBELL: Final = "requests"


def doorbell(state: Path) -> Path:
    """Return the directory in which a file changes whenever a request was left."""
    return state / _DOORBELL


def knock(state: Path) -> None:
    """Wake a daemon that runs with this state; it looks by the clock anyway."""
    with contextlib.suppress(OSError):
        doorbell(state).mkdir(exist_ok=True)
        (doorbell(state) / "knock").write_bytes(b"")


def imports(journal: Journal) -> tuple[str, ...]:
    """Return the directories that operators asked to be looked at."""
    return tuple(json.loads(journal.note(IMPORTS) or "[]"))


def answer(journal: Journal, verb: str, members: Members) -> Members:
    """Do what a request asks; return what is told about it.

    A request that makes no sense any more changes nothing and says why.
    """
    do = _VERBS.get(verb)
    if do is None:
        return {**members, "problem": f"{verb!r} is nothing that is done here"}
    try:
        return {**members, **do(journal, members)}
    except (KeyError, TypeError, ValueError) as error:
        return {**members, "problem": str(error)}


def _retry(journal: Journal, members: Members) -> Members:
    """Look at a bundle again whatever was said of it, and at targets at once."""
    bundle = str(members["bundle"])
    found = [one for one in journal.arrivals() if one.bundle.startswith(bundle)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} bundles are called {bundle!r}")
    journal.happened(found[0].bundle, Event.ASKED)
    return {"bundle": found[0].bundle}


def _rollback(journal: Journal, members: Members) -> Members:
    """Go back to a release that the store holds, until a later one comes."""
    back = Return(
        str(members["stream"]), str(members["release"]), int(members["above"])
    )
    journal.returned(back)
    return {}


def _reconcile(journal: Journal, members: Members) -> Members:
    """Let targets count as empty: everything there is looked at again."""
    target = members.get("target")
    count = 0
    for placement in journal.placements():
        if target in (None, placement.target):
            journal.placed(replace(placement, release="", failures=0, retry_at=0.0))
            count += 1
    return {"placements": count}


def _import(journal: Journal, members: Members) -> Members:
    """Look at a directory as if it were a medium, from now on."""
    paths = dict.fromkeys((*imports(journal), str(members["path"])))
    journal.write_note(IMPORTS, json.dumps([*paths]))
    return {}


_VERBS: Final[Mapping[str, Callable[[Journal, Members], Members]]] = {
    "retry": _retry,
    "rollback": _rollback,
    "reconcile": _reconcile,
    "import": _import,
}
