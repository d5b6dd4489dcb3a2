"""How long commands take that have nothing to do: imports, and little else.

Each verb runs on one small file, so its time is that of the interpreter, of what
the verb imports, and of the signatures that it makes or checks.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Final

from benchmarks.measure import run

HELP: Final = "--help"
MOST_HELP: Final = 0.15
"""Seconds that ``bundle --help`` may take."""


def _commands(place: Path) -> dict[str, list[str]]:
    """Return the verbs, in an order in which each finds what it needs."""
    bundle = f"{place}/out/start-000001"
    trust = ["--trust", f"{place}/keys/1.root.json"]
    signed = ["--key", f"{place}/keys", "--state", f"{place}/sender"]
    return {
        HELP: ["--help"],
        "key init": ["key", "init", f"{place}/keys"],
        "pack": [
            *("pack", f"tree:{place}/source", "--out", f"{place}/out"),
            *("--stream", "start", *signed),
        ],
        "ls": ["ls", bundle, *trust],
        "verify": ["verify", bundle, *trust],
        "unpack": ["unpack", bundle, "--to", f"tree:{place}/srv", *trust],
        "doctor": ["doctor", f"tree:{place}/srv"],
    }


def startup(rounds: int, where: Path) -> dict[str, float]:
    """Return the median seconds of each command over ``rounds`` rounds.

    The first round, which finds nothing in the page cache, does not count.
    """
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds + 1):
        with tempfile.TemporaryDirectory(dir=where, prefix="bundle-start-") as name:
            place = Path(name)
            (place / "source").mkdir()
            (place / "source" / "config.json").write_text('{"layers": 2}\n' * 50)
            for verb, words in _commands(place).items():
                figure = run([sys.executable, "-m", "bundle", *words])
                seconds[verb].append(figure.seconds)
    return {verb: statistics.median(one[1:]) for verb, one in seconds.items()}
