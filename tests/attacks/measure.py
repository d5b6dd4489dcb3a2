"""Reads attacks of the kit in a process of its own and prints what memory they took.

``python -m tests.attacks.measure FAMILY…`` prints one line of JSON: how many were
refused, the rise of the largest resident set in KiB over what a good bundle takes,
and the longest time that one attack took, in seconds.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from bundle.errors import BundleError
from spec.vectors.generator.attacks.kit import FAMILIES
from spec.vectors.generator.container import parse
from tests.attacks.forgery import Forgery, frame, volume, whole
from tests.attacks.kit import ATTACKS, load, stage
from tests.bundles import Site, no_flushing

BUSY = 4 << 20
"""Bytes of the frame that a good bundle has: the largest there is."""


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _warm(scratch: Path) -> None:
    """Read what a good reader has to hold: a frame of the largest size."""
    site = Site(scratch)
    chunks = [bytes([number]) * (1 << 20) for number in range(BUSY >> 20)]
    files = {f"{number}": data for number, data in enumerate(chunks)}
    bundle = Forgery([whole(files)], [volume(frame(*chunks))]).write(site)
    site.verify(bundle)
    site.unpack(bundle)


def main(families: list[str]) -> None:
    """Read every attack of these families."""
    abouts = [FAMILIES[family] for family in families]
    names = sorted(
        path.parent.name
        for path in ATTACKS.glob("*/README.md")
        if any(about in path.read_text() for about in abouts)
    )
    vectors = [load(ATTACKS / name) for name in names]
    refused, longest = 0, 0.0
    with no_flushing(), tempfile.TemporaryDirectory() as directory:
        _warm(Path(directory, "good"))
        good = parse((ATTACKS.parent / "bundle" / "one_tree").read_text())
        stage(good, Path(directory, "one")).unpack()
        scenes = [
            stage(vector, Path(directory, name))
            for name, vector in zip(names, vectors, strict=True)
        ]
        del vectors
        before = _peak()
        for scene in scenes:
            started = time.perf_counter()
            try:
                scene.unpack()
            except BundleError:
                refused += 1
            longest = max(longest, time.perf_counter() - started)
            # What a traceback held is not what an attack takes.
            gc.collect()
        rise = _peak() - before
    found = {"refused": refused, "of": len(names), "rise": rise, "s": longest}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
