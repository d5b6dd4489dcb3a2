"""Takes the picture of the page that docs/syncd.md shows.

python -m tests.interop.picture BASTION docs/images/syncd-page.png

BASTION is a directory to make: its name is in the picture.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path
from unittest import mock

from bundle.limits import MIB, MIN_VOLUME
from syncd.progress import Progress
from tests.bundles import Site, trust_files, write_tree
from tests.interop.browser import browsing, looking
from tests.syncd.bastion import Bastion, replaced
from tests.syncd.http.clients import listening

NOISE = random.Random(5).randbytes(6 * MIN_VOLUME)


def make(site: Site, stranger: Site) -> tuple[Path, Path, Path, tuple[Path, ...]]:
    """Return two releases of one stream, a stranger's, and one of several media."""
    first = site.packed({"model.safetensors": NOISE[:20_000_000], "README.md": b"1"})
    second = site.packed({"model.safetensors": NOISE[:20_000_000], "README.md": b"2"})
    other = stranger.packed({"model.bin": b"x" * 2_000})
    tree = write_tree(site.path / "large", {"noise": NOISE[: 5 * MIN_VOLUME]})
    large = site.pack(
        tree,
        stream="datasets",
        volume_size=2 * MIN_VOLUME,
        media_size=MIN_VOLUME * 9 // 4,
    )
    return first, second, other, large.media


class Slow(Progress):
    """Advances as with a medium of 1 MiB a second."""

    def advanced(self, size: int) -> None:
        super().advanced(size)
        time.sleep(size / MIB)


async def take(bastion: Bastion, sender: Path, picture: Path) -> None:
    """Let a daemon come to something of everything, and take a picture of its page."""
    site = Site(sender / "ours")
    stranger = Site(sender / "other", keys=trust_files((11,), root=2), key=11)
    first, second, other, large = await asyncio.to_thread(make, site, stranger)
    async with browsing() as browser, listening(bastion, site) as here:
        daemon = here.daemon
        daemon.stopwatch = time.monotonic
        for label, bundle in (("blue", first), ("red", other), ("black", large[1])):
            bastion.plug(bundle, label)
            await daemon.settle()
            site.now += 3600
        bastion.unplug("blue")
        bastion.plug(second, "green")
        await daemon.settle()
        site.now += 60
        bastion.plug(large[2], "white")
        async with looking(browser, here.port) as window, asyncio.TaskGroup() as group:
            group.create_task(daemon.settle())
            await window.page.wait_for_selector(".work:has-text('MiB/s')")
            await window.page.screenshot(path=picture)


def main() -> None:
    """Take the picture."""
    path, picture = map(Path, sys.argv[1:])
    bastion = Bastion(path, changes={"site": "ward-3"})
    bastion.targets = (
        replaced(bastion.target("pvc"), to=f"tree:{path / 'pvc'}"),
        replaced(bastion.target("hub"), to=f"hf-home:{path / 'hub'}"),
    )
    picture.parent.mkdir(parents=True, exist_ok=True)
    with mock.patch("syncd.daemon.Progress", Slow):
        asyncio.run(take(bastion, path / "sender", picture))


if __name__ == "__main__":
    main()
