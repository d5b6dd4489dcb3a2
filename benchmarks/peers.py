"""Store and restore one model with every contender, in turns, and compare.

All contenders run once a round, one after the other, so that a noisy moment hits
all alike; figures are medians over the rounds and ratios to ``cp`` of the same
round. The bars that we hold ourselves to are checked at the end.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contenders import ALL, COPY, OURS
from benchmarks.measure import run, size_of

if TYPE_CHECKING:
    from benchmarks.contenders import Contender
    from benchmarks.measure import Figure

MIB = 1 << 20
VERBS = ("pack", "verify", "unpack")


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure we hold ourselves to."""

    what: str
    measured: float
    limit: float

    @property
    def kept(self) -> bool:
        """Whether it is."""
        return self.measured <= self.limit


class Comparison:
    """Rounds of all contenders over one input."""

    def __init__(self, where: Path, size: int) -> None:
        self._where = where
        self._source = where / "source"
        self._source.mkdir()
        model = self._source / "model.safetensors"
        run([sys.executable, "-m", "benchmarks.inputs", f"{model}", f"{size}"])
        self.size = size_of(self._source)
        self.figures: dict[tuple[str, str], list[Figure]] = defaultdict(list)
        self.stored: dict[str, int] = {}
        self.contenders = [one for one in ALL if one.here]

    def round(self) -> None:
        """Let every contender store, verify and restore once."""
        for contender in self.contenders:
            self._one(contender)

    def _one(self, contender: Contender) -> None:
        place = self._where / "place"
        place.mkdir()
        try:
            for command in contender.prepare(place):
                run(command)
            self._note(contender, "pack", contender.store(place, self._source))
            self.stored[contender.name] = size_of(place / "store")
            if contender.verify is not None:
                self._note(contender, "verify", contender.verify(place))
            out = place / "out"
            self._note(contender, "unpack", contender.restore(place, out))
            self._compare(out)
        finally:
            shutil.rmtree(place)

    def _note(self, contender: Contender, verb: str, command: list[str]) -> None:
        self.figures[contender.name, verb].append(run(command))

    def _compare(self, out: Path) -> None:
        restored = next(out.rglob("model.safetensors"))
        run(["cmp", str(self._source / "model.safetensors"), str(restored)])

    def seconds(self, name: str, verb: str) -> list[float]:
        """Return the seconds of each round."""
        return [figure.seconds for figure in self.figures[name, verb]]

    def ratio(self, name: str, verb: str) -> float:
        """Return the median over the rounds of time over that of ``cp``."""
        copied = self.seconds(COPY.name, "pack")
        mine = self.seconds(name, verb)
        return statistics.median(
            own / base for own, base in zip(mine, copied, strict=True)
        )

    def bars(self) -> list[Bar]:
        """Return the bars and where we stand."""
        rss = max(
            figure.rss for verb in VERBS for figure in self.figures[OURS.name, verb]
        )
        bars = [
            Bar("pack / cp", self.ratio(OURS.name, "pack"), 3.0),
            Bar("unpack / cp", self.ratio(OURS.name, "unpack"), 3.0),
            Bar("verify / cp", self.ratio(OURS.name, "verify"), 2.0),
            Bar("peak RSS, MiB", rss / MIB, 400.0),
        ]
        borg = self.stored.get("borg zstd,1")
        if borg is not None:
            bars.append(Bar("bytes / borg", self.stored[OURS.name] / borg, 1.01))
        return bars


def compare(rounds: int, size: int, where: Path) -> Comparison:
    """Return the comparison after ``rounds`` rounds, made below ``where``."""
    with tempfile.TemporaryDirectory(dir=where, prefix="bundle-bench-") as place:
        comparison = Comparison(Path(place), size)
        for _ in range(rounds):
            comparison.round()
        return comparison
