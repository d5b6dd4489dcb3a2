"""What the next site holds, told by its receipt and the releases of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.errors import MissingError, TrustError, UsageError
from bundle.limits import MAX_RECEIPT
from bundle.medium.files import read_whole
from bundle.packing.holdings import Held, Holdings
from bundle.trust.receipts import read_receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bundle.format.receipt import HeldRelease, Receipt
    from bundle.format.recipe import Recipe
    from bundle.store.base import Committed
    from bundle.trust.roles import Roles


def find_release(releases: Sequence[Committed], stream: str) -> Committed:
    """Return the newest of ``releases`` of the stream with this name or id.

    Raises:
        MissingError: there is none.
        UsageError: several streams have the name.
        TrustError: there are two with the newest number.
    """
    found = [one for one in releases if stream in (one.name, one.stream)]
    if not found:
        raise MissingError(
            f"no release of {stream} is in this store",
            advice="'bundle store stat' lists what is",
        )
    streams = sorted({one.stream for one in found})
    if len(streams) > 1:
        raise UsageError(
            f"{len(streams)} streams of this store are called {stream}",
            advice=f"name one by its id: --stream {streams[0]}",
        )
    seq = max(one.seq for one in found)
    newest, *others = [one for one in found if one.seq == seq]
    if others:
        raise TrustError(
            f"ALARM, equivocation: two releases {seq} of {newest.name}: "
            f"{newest.digest} and {others[0].digest}",
            rule="23.2.2",
            advice="send nothing on; find out who else holds the packer's key",
        )
    return newest


def held_at(
    receipt: Path,
    roles: Roles,
    sent: Committed,
    known: Mapping[str, Committed],
    recipe: Callable[[str], Recipe],
) -> Holdings:
    """Return what a receipt says is held, as far as it is of releases known here.

    ``known`` are these by digest, and ``recipe`` gives a recipe of theirs; ``sent``
    is the release that is to travel.

    Raises:
        FormatError: it is no receipt.
        TrustError: it is not signed by the site that it is of.
        MissingError, StoreError: it is not there, or cannot be read.
    """
    read = read_receipt(read_whole(receipt, MAX_RECEIPT), roles)
    site = read.receipt.site
    recipes: dict[str, Recipe] = {}
    held = []
    for stream, one in _releases(read.receipt):
        if one.digest in known:
            names = known[one.digest].recipes
            recipes.update(
                {name: recipe(name) for name in names if name not in recipes}
            )
            own_recipes = {name: recipes[name] for name in names}
            held.append(Held(stream, one.seq, one.digest, own_recipes))
    own = [one for stream, one in _releases(read.receipt) if stream == sent.stream]
    warnings = [*read.warnings, *_doubts(own, sent, site, known)]
    numbers = [str(one.seq) for one in own if one.digest in known]
    others = len(held) - len(numbers)
    said = [f"{'releases' if len(numbers) > 1 else 'release'} {', '.join(numbers)}"]
    said = (said if numbers else []) + ([f"{others} of other streams"] * bool(others))
    described = f"{' and '.join(said)}, by site {site}" if held else ""
    return Holdings.of(held, described, warnings)


def _releases(receipt: Receipt) -> Iterator[tuple[str, HeldRelease]]:
    for stream in receipt.streams:
        for one in stream.releases:
            yield stream.id, one


def _doubts(
    own: Sequence[HeldRelease],
    sent: Committed,
    site: str,
    known: Mapping[str, object],
) -> Iterator[str]:
    """Say what makes the bundle larger than it need be, or of no use."""
    for one in own:
        if one.seq > sent.seq:
            yield (
                f"site {site} has release {one.seq} of {sent.name}: it refuses release "
                f"{sent.seq} as older"
            )
        elif one.digest not in known:
            yield (
                f"release {one.seq} of {sent.name}, {one.digest[:23]}…, is not in this "
                "store: what only it holds is sent again"
            )
    if any(one.digest == sent.digest for one in own):
        yield f"site {site} has release {sent.seq} of {sent.name} already"
    elif not own:
        yield (
            f"the receipt of site {site} names no release of {sent.name}: what no "
            "other stream there has is sent"
        )
